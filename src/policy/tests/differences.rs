//! Differences of two policies, as they are told.

use super::*;
use crate::policy::{Change, diff};

const BASE: &str = r#"
[allow]
groups = ["wheel", "webops"]
[commands.restart]
exec = ["/usr/bin/systemctl", "restart", "--", "{unit}"]
args = [{ name = "unit", one-of = ["nginx.service", "sshd.service"] }]
[[commands.restart.allow]]
groups = ["webops"]
when.unit = ["nginx.service"]
[[commands.restart.allow]]
groups = ["wheel"]
[[commands.restart.allow]]
groups = ["dba"]
"#;

/// The lines of a difference, `+` or `-` in front.
fn lines(old: &str, new: &str) -> Vec<String> {
    let difference = diff(&policy(old), &policy(new));
    let line = |sign: &'static str| move |change: &Change| format!("{sign} {change}");
    let gains = difference.gains.iter().map(line("+"));
    gains.chain(difference.losses.iter().map(line("-"))).collect()
}

/// The lines of what this replacement in the policy changes.
fn changed(from: &str, to: &str) -> Vec<String> {
    assert!(BASE.contains(from));
    lines(BASE, &BASE.replacen(from, to, 1))
}

#[test]
fn a_value_more_is_a_gain_of_that_value() {
    assert_eq!(
        changed("when.unit = [\"nginx.service\"]", ""),
        ["+ group webops  restart  unit=sshd.service"]
    );
    assert_eq!(changed("", ""), Vec::<String>::new());
}
