//! Moments as people write them: a date, a time and a zone. Refuses those that no clock shows, or that one shows twice.

use super::super::nearest::did_you_mean;
use super::super::principal::Names;
use super::weekday::Weekday;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use std::time::SystemTime;

/// How a moment is written.
const FORM: &str = "write \"2026-11-23 12:00 Europe/Berlin\"";

/// Reads a moment: `2026-11-23 12:00 Europe/Berlin`. Seconds, a weekday in front and the zone (without one, the machine's)
/// may be there or not.
///
/// # Errors
/// What is wrong with the text, for people.
pub fn moment(text: &str, names: &dyn Names) -> Result<SystemTime, String> {
    let unreadable = || format!("{text:?} is no time; {FORM}");
    let mut words = text.split_ascii_whitespace().peekable();
    let weekday = words.next_if(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
    let date = words.next().and_then(date).ok_or_else(unreadable)?;
    let time = words.next().and_then(time).ok_or_else(unreadable)?;
    let zone = words.next();
    if words.next().is_some() {
        return Err(unreadable());
    }
    if weekday.is_some_and(|word| Weekday::read(word) != Some(Weekday::of(date))) {
        return Err(format!("{date} is a {}", Weekday::of(date)));
    }
    shown_once(DateTime::from_parts(date, time), &zone_of(zone, names)?)
}

/// The moment at which the clocks of a zone show this.
fn shown_once(shown: DateTime, zone: &TimeZone) -> Result<SystemTime, String> {
    let ambiguous = zone.to_ambiguous_timestamp(shown);
    let told = format!("{} {}", shown.date(), shown.time());
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => ambiguous
            .unambiguous()
            .map(SystemTime::from)
            .map_err(|error| format!("{told} is out of range: {error}")),
        AmbiguousOffset::Gap { .. } => Err(format!("{told} never comes in this zone: its clocks skip it")),
        AmbiguousOffset::Fold { .. } => Err(format!("{told} comes twice in this zone: write it in UTC")),
    }
}

/// What the clocks of a zone show: `Mon 2026-11-23 12:00:00 Europe/Berlin`, which [`moment`] reads back.
pub(super) fn shown(now: SystemTime, zone: &TimeZone, name: Option<&str>) -> String {
    let Ok(now) = Timestamp::try_from(now) else { return "out of range".to_owned() };
    let shown = zone.to_datetime(now);
    let time = format!("{:02}:{:02}:{:02}", shown.hour(), shown.minute(), shown.second());
    let name = name.map_or_else(String::new, |name| format!(" {name}"));
    format!("{} {} {time}{name}", Weekday::of(shown.date()), shown.date())
}

/// The zone of that name; without one, the machine's.
pub(super) fn zone_of(name: Option<&str>, names: &dyn Names) -> Result<TimeZone, String> {
    let Some(name) = name else {
        let untold =
            |failed| format!("the machine's time zone can't be told: {failed}; name one, like Europe/Berlin");
        return names.zone_here().map_err(untold);
    };
    match names.zone_of(name) {
        Ok(Some(zone)) => Ok(zone),
        Ok(None) => {
            let known: Vec<String> =
                TimeZoneDatabase::bundled().available().map(|zone| zone.to_string()).collect();
            Err(format!(
                "no such time zone: {name:?}{}",
                did_you_mean(name, known.iter().map(String::as_str))
            ))
        }
        Err(failed) => Err(format!("time zone {name:?} can't be looked up: {failed}")),
    }
}

/// `2026-11-23`.
fn date(text: &str) -> Option<Date> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = *parts else { return None };
    Date::new(
        digits(year, 4)?.try_into().ok()?,
        digits(month, 2)?.try_into().ok()?,
        digits(day, 2)?.try_into().ok()?,
    )
    .ok()
}

/// `12:00` or `12:00:00`.
fn time(text: &str) -> Option<Time> {
    let parts: Option<Vec<i8>> = text.split(':').map(|part| digits(part, 2)?.try_into().ok()).collect();
    let (hour, minute, second) = match *parts? {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    Time::new(hour, minute, second, 0).ok()
}

/// A number of exactly so many digits.
pub(super) fn digits(text: &str, count: usize) -> Option<i32> {
    let plain = text.len() == count && text.bytes().all(|octet| octet.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}
