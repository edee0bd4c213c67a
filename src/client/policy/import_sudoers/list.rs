//! Reads lists of users, of machines and of commands. Refuses what sudoers(5) has no room for, with its place.

use super::cursor::{Cursor, ENDS_WORD, Parsed, Wrong};
use super::syntax::{Cmnd, Host, Member, User, What, Words};
use std::net::{IpAddr, Ipv6Addr};

/// Algorithms of digests, each with its colon.
const DIGESTS: [&str; 4] = ["sha224:", "sha256:", "sha384:", "sha512:"];

/// What a word of a command's arguments is ended by, unless a backslash stands before it.
const ENDS_ARGUMENT: &str = "#\\:, \t\r\n";

/// What ends a program's path.
const ENDS_PATH: &str = "#\\,:= \t\r\n";

impl Cursor<'_> {
    /// Reads members between commas.
    pub(super) fn list<T>(&mut self, one: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<Member<T>>> {
        let mut members = Vec::new();
        loop {
            self.blanks();
            let negated = self.negations();
            members.push(Member { negated, what: one(self)? });
            self.blanks();
            if !self.take(",") {
                return Ok(members);
            }
        }
    }

    /// Whether what follows is negated: an odd number of times.
    pub(super) fn negations(&mut self) -> bool {
        let mut negated = false;
        while self.take("!") {
            negated = !negated;
            self.blanks();
        }
        negated
    }

    pub(super) fn user(&mut self) -> Parsed<User> {
        let start = self.offset();
        if self.take("#") {
            return self.id(start).map(User::Uid);
        }
        if self.take("%:") {
            self.take("#");
            self.some_word("the name of a group follows \"%:\"")?;
            return Ok(User::Foreign(self.text_since(start)));
        }
        if self.take("%#") {
            return self.id(start).map(User::Gid);
        }
        if self.take("%") {
            if self.rest().starts_with('"') {
                return Err(self.wrong("the quotes of a group begin before its \"%\""));
            }
            return self.some_word("the name of a group follows \"%\"").map(User::Group);
        }
        if self.rest().starts_with(['/', '^', '+']) && !self.begins_netgroup() {
            return Err(self.wrong("a user is expected here"));
        }
        self.some_word("a user is expected here").map(|word| user_of(&word))
    }

    /// Whether a `+` is here that a name follows.
    fn begins_netgroup(&self) -> bool {
        let name = self.rest().strip_prefix('+').and_then(|name| name.chars().next());
        name.is_some_and(|first| !ENDS_WORD.contains(first))
    }

    fn id(&mut self, start: usize) -> Parsed<u32> {
        let digits = self.take_while(|character| character.is_ascii_digit());
        let wrong = |_| Wrong { span: start..self.offset(), message: "this is no id".to_owned() };
        digits.parse().map_err(wrong)
    }

    /// Reads a word that has to be there.
    pub(super) fn some_word(&mut self, expected: &str) -> Parsed<String> {
        let here = self.wrong(expected);
        self.word()?.filter(|word| !word.is_empty()).ok_or(here)
    }

    pub(super) fn host(&mut self) -> Parsed<Host> {
        let address = self.rest();
        let end = address.find(|c: char| !(c.is_ascii_hexdigit() || ":./".contains(c)));
        let address = address.get(..end.unwrap_or(address.len())).unwrap_or_default();
        let host = address.split('/').next().unwrap_or_default();
        if host.parse::<Ipv6Addr>().is_ok() {
            self.take(address);
            return Ok(Host::Unsure(address.to_owned()));
        }
        if self.rest().starts_with(['/', '^', '%']) || self.rest().starts_with('+') && !self.begins_netgroup()
        {
            return Err(self.wrong("a host is expected here"));
        }
        let word = self.some_word("a host is expected here")?;
        let is_network = word.split('/').next().is_some_and(|host| host.parse::<IpAddr>().is_ok());
        Ok(if word == "ALL" {
            Host::All
        } else if is_network || word.starts_with('+') || word.contains(['*', '?', '[', '\\', '/']) {
            Host::Unsure(word)
        } else {
            Host::Name(word)
        })
    }

    /// Reads a command, with its digests.
    pub(super) fn cmnd(&mut self) -> Parsed<Cmnd> {
        let start = self.offset();
        let mut digest = false;
        while self.digest()? {
            digest = true;
            self.blanks();
            if self.take(",") {
                self.blanks();
            }
        }
        let what = self.what()?;
        let text = self.text_since(start);
        Ok(Cmnd { text, digest, what })
    }

    fn digest(&mut self) -> Parsed<bool> {
        if !DIGESTS.iter().any(|algorithm| self.take(algorithm)) {
            return Ok(false);
        }
        self.blanks();
        let value =
            self.take_while(|character| character.is_ascii_alphanumeric() || "+/=".contains(character));
        if value.is_empty() { Err(self.wrong("the digest is missing")) } else { Ok(true) }
    }

    fn what(&mut self) -> Parsed<What> {
        if self.rest().starts_with('/') {
            return self.program();
        }
        if self.rest().starts_with('^') {
            self.regex()?;
            self.words()?;
            return Ok(What::Regex);
        }
        let start = self.offset();
        let word = self.take_while(|character| character.is_ascii_alphanumeric() || character == '_');
        match word {
            "ALL" => Ok(What::All),
            "sudoedit" => self.words().map(|_| What::Edit),
            "list" => self.words().map(|_| What::List),
            word if is_alias(word) => Ok(What::Alias(word.to_owned())),
            _ => {
                let message = "a command is an absolute path, an alias, sudoedit, list or ALL";
                let span = start..self.offset().max(start + self.peek().map_or(0, char::len_utf8));
                Err(Wrong { span, message: message.to_owned() })
            }
        }
    }

    fn program(&mut self) -> Parsed<What> {
        let mut path = String::new();
        loop {
            path.push_str(self.take_while(|character| !ENDS_PATH.contains(character)));
            if !self.escaped_argument(&mut path)? {
                break;
            }
        }
        if path.ends_with('/') {
            return Ok(What::Directory);
        }
        Ok(What::Program(path, self.words()?))
    }

    /// Reads what follows a program, up to a comma, a colon, a comment or the end of the line.
    fn words(&mut self) -> Parsed<Words> {
        self.blanks();
        if self.rest().starts_with('^') {
            return self.regex().map(|()| Words::Regex);
        }
        let mut words = Vec::new();
        while let Some(word) = self.argument()? {
            words.push(word);
            self.blanks();
        }
        Ok(match words.as_slice() {
            [] => Words::Any,
            [only] if only == "\"\"" => Words::None,
            _ => Words::These(words),
        })
    }

    fn argument(&mut self) -> Parsed<Option<String>> {
        if self.rest().strip_prefix('=').is_some_and(|behind| behind.starts_with([' ', '\t', '\n'])) {
            return Ok(None);
        }
        let mut word = String::new();
        loop {
            word.push_str(self.take_while(|character| !ENDS_ARGUMENT.contains(character)));
            if !self.escaped_argument(&mut word)? {
                return Ok(Some(word).filter(|word| !word.is_empty()));
            }
        }
    }

    /// Takes a backslash and what it escapes: sudo drops it before its own special characters, and leaves it to fnmatch(3)
    /// before others.
    fn escaped_argument(&mut self, word: &mut String) -> Parsed<bool> {
        let rest = self.rest();
        if !rest.starts_with('\\') || rest.starts_with("\\\n") || rest.starts_with("\\\r\n") {
            return Ok(false);
        }
        let here = self.wrong("a backslash here escapes nothing; one that means itself is written twice");
        self.next();
        match self.next() {
            Some(special) if ":\\,= \t#".contains(special) => word.push(special),
            Some(wildcard) if "*?[]!^".contains(wildcard) => word.extend(['\\', wildcard]),
            _ => return Err(here),
        }
        Ok(true)
    }

    /// Takes a regular expression: from `^` to the `$` that a blank, a comma, a colon or the line's end follows.
    fn regex(&mut self) -> Parsed<()> {
        let start = self.offset();
        while let Some(character) = self.next() {
            match character {
                '\\' if self.peek().is_some_and(|escaped| escaped != '\n') => {
                    self.next();
                }
                '$' if self.rest().is_empty()
                    || self.rest().starts_with([' ', '\t', ',', ':', '\n', '\r']) =>
                {
                    return Ok(());
                }
                '\n' | '#' => break,
                _ => {}
            }
        }
        let span = start..start + 1;
        Err(Wrong { span, message: "this regular expression does not end with '$'".to_owned() })
    }
}

fn user_of(word: &str) -> User {
    match word.split_at_checked(1) {
        _ if word == "ALL" => User::All,
        _ if word.starts_with("%:") => User::Foreign(word.to_owned()),
        Some(("+", _)) => User::Foreign(word.to_owned()),
        Some(("%", group)) if !group.is_empty() => User::Group(group.to_owned()),
        _ => User::Name(word.to_owned()),
    }
}

/// Whether it is spelt like the name of an alias.
pub(super) fn is_alias(word: &str) -> bool {
    let goes_on = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    word.starts_with(|first: char| first.is_ascii_uppercase()) && word.chars().all(goes_on) && word != "ALL"
}
