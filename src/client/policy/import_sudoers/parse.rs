//! Reads a sudoers text line by line. Refuses a line that sudoers(5) has no room for, and tells its place.

use super::cursor::{Cursor, Parsed, Wrong};
use super::list::is_alias;
use super::syntax::{
    Alias, Cmnd, Entry, Host, Member, Named, Permission, Runas, Scope, Setting, Share, Spec, Terms, What,
    Words,
};
use crate::policy::{Diagnostic, Source};
use std::rc::Rc;

/// The kinds of alias.
const ALIASES: [&str; 5] = ["User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias"];

/// Tags by their positive names; each has an opposite that begins with `NO`.
const TAGS: [&str; 8] =
    ["EXEC", "FOLLOW", "INTERCEPT", "LOG_INPUT", "LOG_OUTPUT", "MAIL", "PASSWD", "SETENV"];

/// Options, each written with `=` and a value.
const OPTIONS: [&str; 10] = [
    "APPARMOR_PROFILE",
    "CHROOT",
    "CWD",
    "LIMITPRIVS",
    "NOTAFTER",
    "NOTBEFORE",
    "PRIVS",
    "ROLE",
    "TIMEOUT",
    "TYPE",
];

/// Errors that are told of one file at most.
const ERRORS_MAX: usize = 20;

/// Reads one file: its entries up to the first line that is wrong, and each line that is, once; of many, the first so many.
pub(super) fn parse(source: &Rc<Source>) -> (Vec<Entry>, Vec<Diagnostic>) {
    let mut cursor = Cursor::new(source);
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    while !cursor.rest().is_empty() && errors.len() < ERRORS_MAX {
        match cursor.line() {
            Ok(entry) => entries.extend(entry.filter(|_| errors.is_empty())),
            Err(Wrong { span, message }) => {
                errors.push(Diagnostic::error_in(source, &span, &message));
                cursor.skip_line();
            }
        }
    }
    (entries, errors)
}

/// Tells, of what is wrong behind a colon, how one that parts nothing is written.
fn behind_colon(Wrong { span, message }: Wrong) -> Wrong {
    Wrong { span, message: format!("{message}; a ':' that belongs to the command before is written \"\\:\"") }
}

impl Cursor<'_> {
    fn line(&mut self) -> Parsed<Option<Entry>> {
        self.blanks();
        let entry = if let Some(directory) = self.include_word() {
            Some(self.include(directory)?)
        } else if self.ends() {
            None
        } else if let Some(kind) = self.keyword(&ALIASES) {
            Some(Entry::Aliases(self.aliases(kind)?))
        } else if self.rest().starts_with("Defaults") && self.defaults_word() {
            Some(Entry::Defaults(self.defaults()?))
        } else {
            Some(Entry::Spec(self.spec()?))
        };
        self.end_line()?;
        Ok(entry)
    }

    /// Takes one of the words where a blank follows it.
    fn keyword(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let rest = self.rest();
        let followed = |word: &&str| {
            rest.strip_prefix(*word).is_some_and(|behind| behind.starts_with([' ', '\t', '\\']))
        };
        let word = words.iter().copied().find(|word| followed(word))?;
        self.take(word);
        Some(word)
    }

    /// Takes `@include` or `@includedir`, or the same with `#`; whether it is for a directory.
    fn include_word(&mut self) -> Option<bool> {
        let word = self.keyword(&["@includedir", "#includedir", "@include", "#include"])?;
        Some(word.ends_with("dir"))
    }

    fn include(&mut self, directory: bool) -> Parsed<Entry> {
        self.blanks();
        let start = self.offset();
        let mut path = String::new();
        let here = self.wrong("a path is expected here");
        if self.peek() == Some('"') {
            path.extend(self.word()?);
        } else {
            self.path(&mut path);
        }
        if path.is_empty() {
            Err(here)
        } else {
            Ok(Entry::Include { at: self.since(start), path, directory })
        }
    }

    /// Takes a path; in it, a backslash only escapes blanks and itself.
    fn path(&mut self, path: &mut String) {
        while let Some(character) = self.peek().filter(|character| !" \t\r\n".contains(*character)) {
            if self.rest().starts_with("\\\n") || self.rest().starts_with("\\\r\n") {
                return;
            }
            self.next();
            let escaped = self.peek().filter(|next| character == '\\' && " \t\"\\".contains(*next));
            if escaped.is_some() {
                self.next();
            }
            path.push(escaped.unwrap_or(character));
        }
    }

    fn aliases(&mut self, kind: &str) -> Parsed<Vec<Alias>> {
        let mut aliases = Vec::new();
        loop {
            self.blanks();
            let alias = self.alias(kind);
            aliases.push(if aliases.is_empty() { alias? } else { alias.map_err(behind_colon)? });
            self.blanks();
            if !self.take(":") {
                return Ok(aliases);
            }
        }
    }

    fn alias(&mut self, kind: &str) -> Parsed<Alias> {
        let start = self.offset();
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
        let at = self.since(start);
        if !is_alias(&name) {
            let message =
                "the name of an alias is of capital letters, digits and '_', and begins with a letter";
            return Err(Wrong { span: start..self.offset(), message: message.to_owned() });
        }
        self.equals()?;
        let list = match kind {
            "User_Alias" => Named::Users(self.list(Self::user)?),
            "Runas_Alias" => Named::Runas(self.list(Self::user)?),
            "Host_Alias" => Named::Hosts(self.list(Self::host)?),
            _ => Named::Commands(self.list(Self::cmnd)?),
        };
        Ok(Alias { at, name, list })
    }

    fn equals(&mut self) -> Parsed<()> {
        self.blanks();
        if self.take("=") { Ok(()) } else { Err(self.wrong("'=' is expected here")) }
    }

    /// Takes `Defaults` where it is the whole word.
    fn defaults_word(&mut self) -> bool {
        let behind = self.rest().strip_prefix("Defaults").and_then(|behind| behind.chars().next());
        behind.is_some_and(|next| " \t\\:@>!".contains(next)) && self.take("Defaults")
    }

    fn defaults(&mut self) -> Parsed<Vec<Setting>> {
        let start = self.offset();
        let scope = Rc::new(self.scope()?);
        let head = format!("Defaults{}", self.text_since(start));
        let mut settings = Vec::new();
        loop {
            self.blanks();
            settings.push(self.setting(&head, &scope)?);
            self.blanks();
            if !self.take(",") {
                return Ok(settings);
            }
        }
    }

    fn scope(&mut self) -> Parsed<Scope> {
        let Some(symbol) = self.peek().filter(|symbol| ":@>!".contains(*symbol)) else {
            return Ok(Scope::Everything);
        };
        self.next();
        match symbol {
            '!' => return self.list(Self::bare_cmnd).map(Scope::Commands),
            '@' => self.list(Self::host).map(drop)?,
            _ => self.list(Self::user).map(drop)?,
        }
        Ok(Scope::Some)
    }

    /// A command of a scope: without arguments, as the settings follow it.
    fn bare_cmnd(&mut self) -> Parsed<Cmnd> {
        let start = self.offset();
        if !self.rest().starts_with('/') && !self.rest().starts_with("sudoedit") {
            return self.cmnd();
        }
        let path = self.some_word("a command is expected here")?;
        let text = self.text_since(start);
        let what = match path.as_str() {
            "sudoedit" => What::Edit,
            path if path.ends_with('/') => What::Directory,
            path => What::Program(path.to_owned(), Words::Any),
        };
        Ok(Cmnd { text, digest: false, what })
    }

    fn setting(&mut self, head: &str, scope: &Rc<Scope>) -> Parsed<Setting> {
        let start = self.offset();
        let off = self.negations();
        let name = self.take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_').to_owned();
        if name.is_empty() {
            return Err(self.wrong("the name of a setting is expected here"));
        }
        let named = self.text_since(start);
        self.blanks();
        let removes = self.take("-=");
        let assigned = removes || self.take("+=") || self.take("=");
        let value = if assigned { Some(self.assigned()?) } else { None };
        let text = if assigned { self.text_since(start) } else { named };
        let text = format!("{head} {text}");
        let at = self.since(start);
        Ok(Setting { at, scope: Rc::clone(scope), text, name, off, value, removes })
    }

    fn assigned(&mut self) -> Parsed<String> {
        self.blanks();
        let here = self.wrong("a value is expected here");
        self.value()?.ok_or(here)
    }

    fn spec(&mut self) -> Parsed<Spec> {
        let users = self.list(Self::user)?;
        let mut shares = Vec::new();
        loop {
            self.blanks();
            let hosts = self.hosts();
            let hosts = if shares.is_empty() { hosts? } else { hosts.map_err(behind_colon)? };
            shares.push(self.share(hosts)?);
            self.blanks();
            if !self.take(":") {
                return Ok(Spec { users, shares });
            }
        }
    }

    /// Takes the machines, with the `=` behind them.
    fn hosts(&mut self) -> Parsed<Vec<Member<Host>>> {
        let hosts = self.list(Self::host)?;
        self.equals()?;
        Ok(hosts)
    }

    fn share(&mut self, hosts: Vec<Member<Host>>) -> Parsed<Share> {
        let mut permissions = Vec::new();
        let mut terms = Terms::default();
        loop {
            self.blanks();
            permissions.push(self.permission(&mut terms)?);
            self.blanks();
            if !self.take(",") {
                return Ok(Share { hosts, permissions });
            }
        }
    }

    fn permission(&mut self, terms: &mut Terms) -> Parsed<Permission> {
        let start = self.offset();
        if self.peek() == Some('(') {
            terms.runas = Some(Rc::new(self.runas()?));
        }
        while self.option(terms)? {
            self.blanks();
        }
        while self.tag(terms) {
            self.blanks();
        }
        self.nothing_out_of_order(terms)?;
        let negated = self.negations();
        let cmnd = Member { negated, what: self.cmnd()? };
        Ok(Permission { at: self.since(start), terms: terms.clone(), cmnd })
    }

    /// Refuses what should have stood before the options and tags that were read.
    fn nothing_out_of_order(&self, terms: &Terms) -> Parsed<()> {
        if self.peek() == Some('(') {
            return Err(self.wrong("as whom it runs is said before options and tags, and once"));
        }
        if self.clone().option(&mut terms.clone()).unwrap_or(true) {
            return Err(self.wrong("options such as CWD= and TIMEOUT= stand before tags such as NOPASSWD:"));
        }
        Ok(())
    }

    fn runas(&mut self) -> Parsed<Runas> {
        let mut runas = Runas::default();
        self.next();
        self.blanks();
        if !self.rest().starts_with([':', ')']) {
            runas.users = self.list(Self::user)?;
        }
        if self.take(":") {
            self.blanks();
            if !self.rest().starts_with(')') {
                runas.groups = self.list(Self::user)?;
            }
        }
        if !self.take(")") {
            return Err(self.wrong("')' is expected here"));
        }
        self.blanks();
        Ok(runas)
    }

    fn tag(&mut self, terms: &mut Terms) -> bool {
        let mut ahead = self.clone();
        let word = ahead.take_while(|c| c.is_ascii_uppercase() || c == '_');
        ahead.blanks();
        let (base, on) = word.strip_prefix("NO").map_or((word, true), |base| (base, false));
        let Some(tag) = TAGS.into_iter().find(|tag| *tag == base).filter(|_| ahead.take(":")) else {
            return false;
        };
        terms.tags.insert(tag, on);
        *self = ahead;
        true
    }

    fn option(&mut self, terms: &mut Terms) -> Parsed<bool> {
        let mut ahead = self.clone();
        let word = ahead.take_while(|c| c.is_ascii_uppercase() || c == '_');
        ahead.blanks();
        let Some(option) = OPTIONS.into_iter().find(|option| *option == word).filter(|_| ahead.take("="))
        else {
            return Ok(false);
        };
        *self = ahead;
        self.blanks();
        let value = self.some_word("a value is expected here")?;
        terms.options.insert(option, value);
        Ok(true)
    }
}
