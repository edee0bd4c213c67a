//! Tests of the load generator's arithmetic and reading. Starts nothing and measures nothing.

mod decode;
mod spread;

use decode::stdout;
use spread::{Spread, number};

#[test]
fn a_spread_names_the_ends_the_middle_and_the_99th_percentile() {
    let spread = Spread::of((1..=1000).rev().map(number)).unwrap();
    assert_eq!(spread, Spread { min: 1.0, median: 501.0, p99: Some(991.0), max: 1000.0 });
}

#[test]
fn a_few_values_have_no_99th_percentile_and_none_have_no_spread() {
    assert_eq!(Spread::of([3.0, 1.0, 2.0]).unwrap().p99, None);
    assert_eq!(Spread::of([]), None);
}

#[test]
fn a_ratio_compares_rounds_and_not_sums() {
    let ratios = Spread::of_ratios(&[2.0, 30.0, 4.0], &[1.0, 10.0, 1.0]).unwrap();
    assert_eq!((ratios.min, ratios.median, ratios.max), (2.0, 3.0, 4.0));
}

#[test]
fn what_a_job_wrote_is_told_back() {
    let reply = b"| a\\\\b\n|~c\\x00\\xff\n# running ms=1\n| \n200 exit code=0\n";
    assert_eq!(stdout(reply), Some((b"a\\b\nc\0\xff\n".to_vec(), &b"200 exit code=0"[..])));
}

#[test]
fn a_reply_without_its_end_or_with_a_foreign_escape_is_none() {
    for reply in [&b"| a\n"[..], b"| \\q\n200 ok\n", b"| \\x1\n200 ok\n", b"! a\n200 ok\n", b""] {
        assert_eq!(stdout(reply), None, "{reply:?}");
    }
}
