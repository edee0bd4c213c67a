//! How host names, unit names and durations are spelt. Looks nothing up: a name that is well spelt may still be nobody's.

use std::time::Duration;

/// Octets in a label of a host name at most (RFC 1035, section 2.3.4).
const LABEL_MAX: usize = 63;

/// Octets in a host name at most: 255 on the wire (RFC 1035, section 2.3.4) hold the length of the first label
/// and the empty root label besides.
const HOSTNAME_MAX: usize = 253;

/// Octets in a unit's name at most (`UNIT_NAME_MAX`, 256 with the NUL, of systemd's src/basic/unit-name.h).
const UNIT_NAME_MAX: usize = 255;

/// Octets in a name of a user or a group at most (`LOGIN_NAME_MAX` of limits.h, 256 with the NUL; useradd(8) of shadow 4.14).
const ACCOUNT_NAME_MAX: usize = 255;

/// The types of units (systemd.unit(5)).
pub(in crate::policy) const UNIT_TYPES: [&str; 11] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

/// Whether the text is a host name (RFC 952, with the first character of RFC 1123, section 2.1): labels between
/// dots. So is an IPv4 address, by its spelling.
pub(super) fn is_hostname(text: &str) -> bool {
    text.len() <= HOSTNAME_MAX && text.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let hyphened = label.starts_with('-') || label.ends_with('-');
    let spelt = label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    (1..=LABEL_MAX).contains(&label.len()) && spelt && !hyphened
}

/// Whether the text names a unit of one of the types: plain, or an instance. A template by itself can't be started.
/// The rules are those of `unit_name_is_valid()` of systemd's src/basic/unit-name.c.
pub(super) fn is_unit(text: &str, types: &[&str]) -> bool {
    let Some((name, suffix)) = text.rsplit_once('.') else { return false };
    let spelt = |octet: u8| octet.is_ascii_alphanumeric() || br":-_.\@".contains(&octet);
    let named = name
        .split_once('@')
        .map_or(!name.is_empty(), |(prefix, instance)| !prefix.is_empty() && !instance.is_empty());
    text.len() <= UNIT_NAME_MAX && types.contains(&suffix) && name.bytes().all(spelt) && named
}

/// Whether the text is spelt like a user or a group (useradd(8) and groupadd(8) of shadow, `is_valid_name()` of its
/// lib/chkname.c): letters, digits, `_`, `.` and `-`, no dash in front, perhaps a `$` at the end. Digits alone are an id, and
/// no name.
pub(super) fn is_account_name(text: &str) -> bool {
    let name = text.strip_suffix('$').unwrap_or(text);
    let spelt = |octet: u8| octet.is_ascii_alphanumeric() || b"_.-".contains(&octet);
    let numeric = name.bytes().all(|octet| octet.is_ascii_digit());
    let reserved = matches!(text, "." | "..");
    let sized = text.len() <= ACCOUNT_NAME_MAX;
    sized && name.bytes().all(spelt) && !name.starts_with('-') && !numeric && !reserved
}

/// The duration, spelt as the `timeout` of a command is, in ASCII and with no blanks but spaces between its parts.
pub(in crate::policy) fn duration(text: &str) -> Option<Duration> {
    let spelt = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b' ');
    let plain = text.bytes().all(spelt) && text.trim() == text;
    humantime::parse_duration(text).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_labels_between_dots() {
        for good in
            ["a", "localhost", "db-1.example.org", "3com.com", "192.0.2.1", "xn--bcher-kva.example", "A.B"]
        {
            assert!(is_hostname(good), "{good}");
        }
        let bad = [
            "", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a_b", "a b", "a\n", "bücher", "::1", "[::1]",
            "a:1",
        ];
        for bad in bad {
            assert!(!is_hostname(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_host_name_has_63_octets_a_label_and_253_in_all() {
        let label = "a".repeat(63);
        assert!(is_hostname(&label));
        assert!(!is_hostname(&"a".repeat(64)));
        let longest = [&*label, &label, &label, &"a".repeat(61)].join(".");
        assert_eq!(longest.len(), 253);
        assert!(is_hostname(&longest));
        assert!(!is_hostname(&[&*label, &label, &label, &"a".repeat(62)].join(".")));
    }

    #[test]
    fn a_unit_name_is_one_that_systemd_takes() {
        for good in [
            "nginx.service",
            "getty@tty1.service",
            "a@b@c.service",
            "dbus-org.freedesktop.login1.service",
            r"dev-disk-by\x2dlabel-x.swap",
            "-.mount",
            "a:b_c.d.timer",
            "..service",
        ] {
            assert!(is_unit(good, &UNIT_TYPES), "{good}");
        }
        for bad in [
            "",
            "nginx",
            "nginx.",
            ".service",
            "service",
            "nginx.conf",
            "nginx.Service",
            "x@.service",
            "@x.service",
            "@.service",
            "a b.service",
            "a/b.service",
            "*.service",
            "a.service\n",
            "ä.service",
            "a.service.d",
        ] {
            assert!(!is_unit(bad, &UNIT_TYPES), "{bad:?}");
        }
    }

    #[test]
    fn a_unit_name_has_255_octets_at_most() {
        assert!(is_unit(&format!("{}.service", "a".repeat(247)), &UNIT_TYPES));
        assert!(!is_unit(&format!("{}.service", "a".repeat(248)), &UNIT_TYPES));
    }

    #[test]
    fn a_name_of_a_user_or_a_group_is_one_that_useradd_takes() {
        for good in ["root", "www-data", "_apt", "A.b", "host$", "9p", "1a", "systemd-network", "a-", ".a"] {
            assert!(is_account_name(good), "{good}");
        }
        let long = "a".repeat(256);
        for bad in [
            "",
            "$",
            "0",
            "1000",
            "65534$",
            "-a",
            "-",
            ".",
            "..",
            "a b",
            "a:b",
            "a/b",
            "ä",
            "a\n",
            "a$b",
            "+",
            "a,b",
            "a@b",
            "DOMAIN\\a",
            &long,
        ] {
            assert!(!is_account_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_duration_is_spelt_like_a_timeout() {
        let seconds = |text| duration(text).map(|span| span.as_secs());
        for (text, expected) in
            [("30s", 30), ("10min", 600), ("1h 30m", 5400), ("1h30m", 5400), ("1.5h", 5400), ("0", 0)]
        {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for bad in [
            "",
            "5",
            "s",
            "-1s",
            "+1s",
            "1s\n",
            "1\t2s",
            " 1s",
            "1s ",
            "1µs",
            "1\u{a0}s",
            "infinity",
            "99999999999999999999s",
        ] {
            assert_eq!(duration(bad), None, "{bad:?}");
        }
    }
}
