//! How windows of time are written: `Mon..Fri *-12-24 08:00-18:00 Europe/Berlin`, after systemd.time(7). Refuses those that
//! never come.

use super::super::super::nearest::did_you_mean;
use super::super::moment::digits;
use super::super::weekday::Weekday;
use jiff::civil::{Date, Time};
use std::ops::RangeInclusive;

/// Seconds of a day.
const DAY: u32 = 24 * 60 * 60;

/// Years that systemd.time(7) knows.
const YEARS: RangeInclusive<i32> = 1970..=2199;

/// A window without its zone's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spelling {
    days: Vec<RangeInclusive<Weekday>>,
    dates: Option<Dates>,
    /// The first second of the span, of its day.
    pub(super) from: u32,
    /// The first second after it: of the same day, or of the next one where it is not above `from`.
    pub(super) to: u32,
    /// The name of the zone, where there is one.
    pub(super) zone: Option<String>,
}

/// Which years, months and days; of nothing, all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Dates {
    years: Numbers,
    months: Numbers,
    days: Numbers,
}

type Numbers = Vec<RangeInclusive<i32>>;

impl Spelling {
    /// Reads a window.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace().peekable();
        let is_alone = text.split_ascii_whitespace().count() == 1;
        let is_days = |word: &&str| begins_with_letter(word) && (first_weekday(word) || !is_alone);
        let days = words.next_if(is_days).map_or_else(|| Ok(Vec::new()), weekdays)?;
        let dates = words.next_if(|word| is_date(word)).map(Dates::read).transpose()?;
        let span = words.next_if(|word| word.contains(':')).map(span).transpose()?;
        let zone = words.next_if(|word| begins_with_letter(word) && !first_weekday(word)).map(str::to_owned);
        if let Some(word) = words.next() {
            return Err(format!("{word:?} has no place here: {FORM}"));
        }
        if days.is_empty() && dates.is_none() && span.is_none() {
            return Err(format!("{text:?} names no time: {FORM}"));
        }
        let (from, to) = span.unwrap_or((0, DAY));
        let spelling = Self { days, dates, from, to, zone };
        if spelling.comes() { Ok(spelling) } else { Err(format!("{text:?} never comes")) }
    }

    /// Whether the day is one of the window's.
    pub(super) fn has_day(&self, date: Date) -> bool {
        self.has_weekday(date) && self.dates.as_ref().is_none_or(|dates| dates.have(date))
    }

    fn has_weekday(&self, date: Date) -> bool {
        self.names(Weekday::of(date))
    }

    fn names(&self, weekday: Weekday) -> bool {
        self.days.is_empty() || self.days.iter().any(|range| range.contains(&weekday))
    }

    /// Whether it is known to hold, in the same zone, whenever the other does.
    pub(super) fn includes(&self, other: &Self) -> bool {
        let days = Weekday::all().all(|day| self.names(day) || !other.names(day));
        let dates = self.dates.is_none() || self.dates == other.dates;
        let within = other.from < other.to && self.from <= other.from && other.to <= self.to;
        days && dates && (within || (self.from, self.to) == (other.from, other.to))
    }

    /// Whether there is such a day from this one on, within the years that are written.
    pub(super) fn comes_from(&self, first: Date) -> bool {
        let years = self.dates.as_ref().map_or(&[][..], |dates| &dates.years);
        let mut all = years.iter().cloned().flatten().flat_map(dates_of);
        years.is_empty() || all.any(|date| date >= first && self.has_day(date))
    }

    /// Whether there is such a day. In 28 years, each date has been each weekday.
    fn comes(&self) -> bool {
        let Some(dates) = &self.dates else { return true };
        let cycle = 2000..=2027;
        let years = if dates.years.is_empty() { vec![cycle] } else { dates.years.clone() };
        let mut all = years.into_iter().flatten().flat_map(dates_of);
        all.any(|date| self.has_day(date))
    }
}

/// The parts of a window, in their order.
const FORM: &str = "a window is weekdays, a date, hours and a zone, each of which may be left out, as in \"Mon..Fri 08:00-18:00 Europe/Berlin\"";

/// How a date is written, and what is not one.
const DATES: &str = "write \"2026-12-24\", \"*-12-24\" or \"*-*-1..7\"; hours are written \"08:00-18:00\"";

fn begins_with_letter(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic())
}

fn is_date(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit() || c == '*') && !word.contains(':')
}

fn first_weekday(word: &str) -> bool {
    word.split([',', '.', '-']).next().is_some_and(|first| Weekday::read(first).is_some())
}

fn weekdays(word: &str) -> Result<Vec<RangeInclusive<Weekday>>, String> {
    word.split(',').map(weekday_range).collect()
}

fn weekday_range(text: &str) -> Result<RangeInclusive<Weekday>, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (weekday(first)?, weekday(last)?);
    if first > last {
        return Err(format!("{text:?} goes past Sunday; write \"{}\"", Weekday::round(first, last)));
    }
    Ok(first..=last)
}

fn weekday(text: &str) -> Result<Weekday, String> {
    Weekday::read(text).ok_or_else(|| match text.split_once('-') {
        Some((first, last)) => format!("{text:?} is no weekday; a range is written \"{first}..{last}\""),
        None => format!("{text:?} is no weekday{}", did_you_mean(text, Weekday::names())),
    })
}

impl Dates {
    fn read(word: &str) -> Result<Self, String> {
        let parts: Vec<&str> = word.split('-').collect();
        let [year, month, day] = *parts else {
            return Err(format!("{word:?} is no date: {DATES}"));
        };
        Ok(Self {
            years: numbers(year, YEARS)?,
            months: numbers(month, 1..=12)?,
            days: numbers(day, 1..=31)?,
        })
    }

    fn have(&self, date: Date) -> bool {
        let has = |numbers: &Numbers, number: i32| {
            numbers.is_empty() || numbers.iter().any(|range| range.contains(&number))
        };
        has(&self.years, date.year().into())
            && has(&self.months, date.month().into())
            && has(&self.days, date.day().into())
    }
}

/// Reads `*`, `24`, `24..31` and lists of these.
fn numbers(text: &str, within: RangeInclusive<i32>) -> Result<Numbers, String> {
    if text == "*" {
        return Ok(Vec::new());
    }
    let number = |text: &str| {
        let number = (1..=4).find_map(|count| digits(text, count)).filter(|number| within.contains(number));
        number.ok_or_else(|| format!("{text:?} is no number from {} to {}", within.start(), within.end()))
    };
    let range = |text: &str| {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        Ok(number(first)?..=number(last)?)
    };
    text.split(',').map(range).collect()
}

/// Every day of a year.
fn dates_of(year: i32) -> impl Iterator<Item = Date> {
    let first = i16::try_from(year).ok().and_then(|year| Date::new(year, 1, 1).ok());
    let days = std::iter::successors(first, |date| date.tomorrow().ok());
    days.take_while(move |date| i32::from(date.year()) == year)
}

/// Reads `08:00-18:00`.
fn span(word: &str) -> Result<(u32, u32), String> {
    let unreadable = || format!("{word:?} is no span of hours; write \"08:00-18:00\"");
    let (from, to) = word.split_once('-').ok_or_else(unreadable)?;
    let (from, to) = (clock(from).ok_or_else(unreadable)?, clock(to).ok_or_else(unreadable)?);
    if from == DAY {
        return Err(format!("{word:?} begins when its day is over; write 00:00"));
    }
    if from == to {
        return Err(format!("{word:?} is no time at all, or all day; write 00:00-24:00 for all day"));
    }
    Ok((from, to))
}

/// The second of the day: `8:00`, `08:00`, `08:00:30`; `24:00` is the end of the day.
fn clock(text: &str) -> Option<u32> {
    let mut parts = text.split(':');
    let hour = parts.next().and_then(|hour| digits(hour, 2).or_else(|| digits(hour, 1)))?;
    let minute = digits(parts.next()?, 2)?;
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    let is_sound = minute < 60 && second < 60 && parts.next().is_none();
    let seconds = u32::try_from((hour * 60 + minute) * 60 + second).ok()?;
    Some(seconds).filter(|seconds| is_sound && *seconds <= DAY)
}

/// The second of the day that a clock shows.
pub(super) fn second_of(time: Time) -> u32 {
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    (u32::from(hour.unsigned_abs()) * 60 + u32::from(minute.unsigned_abs())) * 60
        + u32::from(second.unsigned_abs())
}
