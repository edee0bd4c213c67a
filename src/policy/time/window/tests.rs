//! Windows on any day of 2026, in zones whose clocks do different things.

use super::*;
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;

/// Midnight of 2026 in UTC, in seconds since the epoch.
const NEW_YEAR: u64 = 1_767_225_600;

const YEAR: u64 = 365 * 24 * 60 * 60;

/// Clocks that go forward and back, by an hour or by half of one, to the north and to the south, or never.
const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Asia/Kathmandu",
    "America/St_Johns",
];

fn during(written: &[String], zone: &str) -> During {
    let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
    let window = |text: &String| Window {
        spelling: Spelling::read(text).unwrap(),
        zone: zone.clone(),
        written: text.clone(),
    };
    During(written.iter().map(window).collect())
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NEW_YEAR + second)
}

fn clock(minute: u32) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Moments of the year, many of them near to where some clock is moved.
fn moments() -> impl Strategy<Value = u64> {
    let moves = [66, 87, 93, 276, 297, 304].map(|day: u64| day * 24 * 60 * 60);
    let near =
        (select(moves.to_vec()), 0..48 * 60 * 60_u64).prop_map(|(day, second)| day + second - 24 * 60 * 60);
    prop_oneof![0..YEAR, near]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_span_and_the_one_from_its_end_to_its_beginning_share_the_day(
        from in 0..1440_u32, to in 0..1440_u32, zone in select(&ZONES[..]), second in moments()
    ) {
        prop_assume!(from != to);
        let one = during(&[format!("{}-{}", clock(from), clock(to))], zone);
        let other = during(&[format!("{}-{}", clock(to), clock(from))], zone);
        prop_assert!(one.holds(at(second)) != other.holds(at(second)));
    }

    #[test]
    fn each_moment_is_of_one_weekday_and_of_one_date(zone in select(&ZONES[..]), second in moments(), to in 1..=1440_u32) {
        let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].map(|day| during(&[day.to_owned()], zone));
        prop_assert_eq!(days.iter().filter(|day| day.holds(at(second))).count(), 1);
        let months = (1..=12).map(|month| during(&[format!("*-{month}-* 00:00-24:00")], zone));
        prop_assert_eq!(months.filter(|month| month.holds(at(second))).count(), 1);
        let nights = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
            .map(|day| during(&[format!("{day} {}-{}", clock(to % 1440), clock((to + 1439) % 1440))], zone));
        prop_assert!(nights.iter().filter(|night| night.holds(at(second))).count() <= 1);
    }

    #[test]
    fn a_window_more_never_narrows(
        spans in prop::collection::vec((0..1440_u32, 0..1440_u32), 2..4), zone in select(&ZONES[..]), second in moments()
    ) {
        let written: Vec<_> =
            spans.iter().filter(|(a, b)| a != b).map(|(a, b)| format!("{}-{}", clock(*a), clock(*b))).collect();
        prop_assume!(written.len() > 1);
        let (fewer, all) = (during(&written[1..], zone), during(&written, zone));
        prop_assert!(all.holds(at(second)) || !fewer.holds(at(second)));
    }

    #[test]
    fn any_text_is_a_window_or_is_refused(text in "[A-Za-z0-9*:./, ~-]{0,40}") {
        if let Ok(spelling) = Spelling::read(&text) {
            prop_assert!(spelling.from < 24 * 60 * 60 && spelling.from != spelling.to);
        }
    }
}

#[test]
fn weekdays_are_read_in_any_case_short_or_long_and_one_by_one() {
    let friday = at(24 * 60 * 60);
    for text in
        ["Fri", "friday", "FRIDAY", "Mon,Fri", "Thu..Sat", "Mon..Tue,Fri..Sun", "Fri..Fri", "mon..sun"]
    {
        assert!(during(&[text.to_owned()], "UTC").holds(friday), "{text}");
    }
    for text in ["Thu", "Sat..Sun", "Mon..Thu", "Mon,Tue,Wed,Thu,Sat,Sun"] {
        assert!(!during(&[text.to_owned()], "UTC").holds(friday), "{text}");
    }
}

#[test]
fn before_and_after_all_that_a_calendar_knows_nothing_holds() {
    let whole = during(&["00:00-24:00".to_owned()], "UTC");
    let far = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1 << 45)).unwrap();
    assert!(!whole.holds(far) && During::default().holds(far));
    assert_eq!(whole.clock(far), "out of range");
}
