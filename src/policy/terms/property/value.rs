//! Reads the values of properties, each in its form. Refuses what systemd would refuse when the command runs, as far as that can
//! be told without it.

use super::super::super::nearest::meant;
use super::super::super::reader::{Item, Reader, Word};
use super::network::networks;
use super::{Form, Setting, WEIGHT_MAX};
use std::path::Path;

/// The kinds of namespaces that can be restricted, with their flags of `clone(2)` (systemd.exec(5), `RestrictNamespaces=`).
const NAMESPACES: [(&str, u64); 7] = [
    ("cgroup", 0x0200_0000),
    ("ipc", 0x0800_0000),
    ("net", 0x4000_0000),
    ("mnt", 0x0002_0000),
    ("pid", 0x2000_0000),
    ("user", 0x1000_0000),
    ("uts", 0x0400_0000),
];

/// `MS_REC` (`mount(2)`): a bind mount takes along what is mounted below.
const RECURSIVE: u64 = 0x4000;

/// Microseconds of a processor's second that one percent is.
const PERCENT: u64 = 10_000;

/// Multiples of 1024 by their letters, each 1024 times the one before.
const MULTIPLES: &str = "KMGTPE";

impl Reader<'_> {
    /// Reads one value.
    pub(super) fn setting(&mut self, form: Form, item: &Item<'_>) -> Option<Setting> {
        match form {
            Form::Truth => self.truth(item).map(Setting::Truth),
            Form::TruthOr(words) => self.truth_or(words, item),
            Form::Word(words) => self.one_of(words, item).map(Setting::Text),
            Form::Paths => self.each(item, path).map(Setting::Texts),
            Form::Directories => self.each(item, directory).map(Setting::Texts),
            Form::Mounts => self.each(item, mount).map(Setting::Pairs),
            Form::Binds => self.each(item, bind).map(Setting::Binds),
            Form::Words => self.each(item, plain).map(Setting::Texts),
            Form::Filter => self.filter(item).map(|(permits, words)| Setting::Filter(permits, words)),
            Form::Namespaces => self.namespaces(item).map(Setting::Unsigned),
            Form::Octets | Form::Tasks => self.amount(item).map(Setting::Unsigned),
            Form::Weight => self.within(item, 1, WEIGHT_MAX)?.try_into().ok().map(Setting::Unsigned),
            Form::Percent => self.told(item, percent).map(Setting::Unsigned),
            Form::Signed(first, last) => {
                self.within(item, first.into(), last.into())?.try_into().ok().map(Setting::Signed)
            }
            Form::Devices => self.each(item, device).map(Setting::Pairs),
            Form::Networks => {
                self.each(item, networks).map(|each| Setting::Networks(each.into_iter().flatten().collect()))
            }
            Form::Slice => self.told(item, slice).map(Setting::Text),
        }
    }

    /// Reads text, and makes something of it.
    fn told<T>(&mut self, item: &Item<'_>, make: fn(&str) -> Result<T, String>) -> Option<T> {
        let word = self.word(item)?;
        self.made(&word, make)
    }

    fn made<T>(&mut self, word: &Word, make: fn(&str) -> Result<T, String>) -> Option<T> {
        make(&word.text).map_err(|message| self.error(&word.span, &message)).ok()
    }

    /// Reads a list that is not empty, and makes something of each of its texts.
    fn each<T>(&mut self, item: &Item<'_>, make: fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let list = self.list(item);
        if item.get_ref().as_array().is_some_and(|list| list.is_empty()) {
            self.error(&item.span(), "an empty list sets nothing; leave the property out");
        }
        let read: Vec<T> = list.iter().filter_map(|element| self.told(element, make)).collect();
        (!list.is_empty() && read.len() == list.len()).then_some(read)
    }

    fn one_of(&mut self, words: &'static [&'static str], item: &Item<'_>) -> Option<String> {
        let word = self.word(item)?;
        if !words.contains(&&*word.text) {
            self.error(&word.span, &format!("{:?} is no value of it{}", word.text, meant(&word.text, words)));
            return None;
        }
        Some(word.text)
    }

    fn truth_or(&mut self, words: &'static [&'static str], item: &Item<'_>) -> Option<Setting> {
        match item.get_ref().as_bool() {
            Some(truth) => Some(Setting::Text(if truth { "yes" } else { "no" }.to_owned())),
            None => self.one_of(words, item).map(Setting::Text),
        }
    }

    /// Words, and whether they are those that are permitted.
    fn filter(&mut self, item: &Item<'_>) -> Option<(bool, Vec<String>)> {
        let mut words = self.each(item, filtered)?;
        let first = words.first_mut()?;
        let permits = !first.starts_with('~');
        first.retain(|c| c != '~');
        if words.iter().any(|word| word.starts_with('~')) {
            self.error(&item.span(), "\"~\" stands before the first alone, and turns the whole list around");
            return None;
        }
        Some((permits, words))
    }

    /// The flags of those that the unit may still make and enter.
    fn namespaces(&mut self, item: &Item<'_>) -> Option<u64> {
        let all = NAMESPACES.iter().fold(0, |flags, (_, flag)| flags | flag);
        if let Some(restricted) = item.get_ref().as_bool() {
            return Some(if restricted { 0 } else { all });
        }
        let (permits, words) = self.filter(item)?;
        let mut named = 0;
        for word in &words {
            let Some((_, flag)) = NAMESPACES.iter().find(|(name, _)| name == word) else {
                let close = meant(word, &NAMESPACES.map(|(name, _)| name));
                self.error(&item.span(), &format!("{word:?} is no kind of namespace{close}"));
                return None;
            };
            named |= flag;
        }
        Some(if permits { named } else { all & !named })
    }

    fn amount(&mut self, item: &Item<'_>) -> Option<u64> {
        if item.get_ref().as_integer().is_some() {
            return self.within(item, 1, i64::MAX)?.try_into().ok();
        }
        self.told(item, amount)
    }

    fn within(&mut self, item: &Item<'_>, first: i64, last: i64) -> Option<i64> {
        let value = self.integer(item)?;
        if !(first..=last).contains(&value) {
            self.error(&item.span(), &format!("it is from {first} to {last}"));
            return None;
        }
        Some(value)
    }
}

fn is_plain(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "_-@".contains(c);
    !text.is_empty() && text.chars().all(known)
}

fn plain(text: &str) -> Result<String, String> {
    is_plain(text)
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text:?} is no word of letters, digits, '_' and '-'"))
}

fn filtered(text: &str) -> Result<String, String> {
    plain(text.strip_prefix('~').unwrap_or(text)).map(|_| text.to_owned())
}

fn is_absolute(text: &str) -> bool {
    text.starts_with('/') && Path::new(text).components().all(|part| part.as_os_str() != "..")
}

fn absolute(text: &str) -> Result<String, String> {
    let mend = "a path here is absolute and has no \"..\"";
    is_absolute(text).then(|| text.to_owned()).ok_or_else(|| format!("{text:?}: {mend}"))
}

fn path(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('-').unwrap_or(text);
    absolute(bare.strip_prefix('+').unwrap_or(bare)).map(|_| text.to_owned())
}

fn directory(text: &str) -> Result<String, String> {
    let is_below =
        !text.is_empty() && !text.contains(':') && is_absolute(&format!("/{text}")) && !text.starts_with('/');
    is_below
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text:?} is no name of a directory; it has no '/' in front"))
}

fn mount(text: &str) -> Result<(String, String), String> {
    let (place, options) = text.split_once(':').unwrap_or((text, ""));
    Ok((absolute(place)?, options.to_owned()))
}

fn bind(text: &str) -> Result<(String, String, bool, u64), String> {
    let parts: Vec<&str> = text.strip_prefix('-').unwrap_or(text).split(':').collect();
    let (source, destination, options) = match parts.as_slice() {
        [source] => (source, source, "rbind"),
        [source, destination] => (source, destination, "rbind"),
        [source, destination, options] => (source, destination, *options),
        _ => return Err(format!("{text:?} is not \"/source:/destination\"")),
    };
    let flags = match options {
        "rbind" => RECURSIVE,
        "norbind" => 0,
        _ => return Err(format!("{options:?} is neither \"rbind\" nor \"norbind\"")),
    };
    Ok((absolute(source)?, absolute(destination)?, text.starts_with('-'), flags))
}

fn device(text: &str) -> Result<(String, String), String> {
    let (node, modes) = text.split_once(' ').unwrap_or((text, "rwm"));
    let is_node = is_absolute(node) && node.starts_with("/dev/")
        || node.starts_with("char-")
        || node.starts_with("block-");
    let has_modes = !modes.is_empty() && modes.chars().all(|mode| "rwm".contains(mode));
    let message = || format!("{text:?} is no device with what it is permitted: \"/dev/fuse rw\"");
    (is_node && has_modes).then(|| (node.to_owned(), modes.to_owned())).ok_or_else(message)
}

fn slice(text: &str) -> Result<String, String> {
    let is_slice = text.strip_suffix(".slice").is_some_and(is_plain);
    is_slice.then(|| text.to_owned()).ok_or_else(|| format!("{text:?} is no slice: \"jobs.slice\""))
}

fn percent(text: &str) -> Result<u64, String> {
    let share =
        text.strip_suffix('%').and_then(|digits| digits.parse::<u32>().ok()).filter(|share| *share > 0);
    share
        .map(|share| u64::from(share) * PERCENT)
        .ok_or_else(|| format!("{text:?} is no share of a processor: \"50%\""))
}

/// Octets or tasks: digits, and a letter for a power of 1024.
fn amount(text: &str) -> Result<u64, String> {
    if text == "infinity" {
        return Ok(u64::MAX);
    }
    let digits = text.trim_end_matches(|c| MULTIPLES.contains(c));
    let power = match text.strip_prefix(digits).unwrap_or_default() {
        "" => Some(0),
        letter => {
            MULTIPLES.find(letter).filter(|_| letter.len() == 1).and_then(|at| u32::try_from(at + 1).ok())
        }
    };
    let factor = power.map(|power| 1024_u64.pow(power));
    let number = digits.parse::<u64>().ok().filter(|number| *number > 0);
    let value = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    value.ok_or_else(|| format!("{text:?} is no amount: 100, \"512M\", \"2G\" or \"infinity\""))
}
