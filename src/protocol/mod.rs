//! Octets to requests, replies to octets, and back (udsadmin-protocol(7)). No IO, no clock, no opinion on who may ask.

pub mod decoder;
pub mod reply;
pub mod word;

mod ask;
mod input;
mod line;
mod parse;
mod printable;
mod stream;
mod tag;
mod text;
mod wanted;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;

pub use line::{read_request, spell, write_request};
pub use tag::{NotATag, Tag};

#[cfg(test)]
mod tests {
    use super::reply::Final;
    use super::{decoder, reply};

    const MANUAL: &str = include_str!("../../docs/udsadmin-protocol.7");

    #[test]
    fn the_manual_tells_every_limit() {
        for limit in [decoder::LINE_MAX, decoder::INPUT_MAX, reply::PIECE_MAX] {
            assert!(MANUAL.contains(&format!(" {limit} octets")), "{limit}");
        }
    }

    #[test]
    fn the_manual_tells_every_final_line() {
        for Final { code, name, .. } in [
            Final::ok(),
            Final::exit(0),
            Final::exit(1),
            Final::signal("TERM"),
            Final::timeout(),
            Final::cancelled(),
            Final::capped(),
            Final::hello("", "", ""),
            Final::bye(),
            Final::syntax(1),
            Final::denied(),
            Final::busy(),
            Final::too_long(),
            Final::bad_argument(""),
            Final::version(),
            Final::internal(),
            Final::exec_failed(0),
            Final::draining(),
            Final::audit_unavailable(),
            Final::broker_unavailable(),
            Final::unknown_outcome(""),
        ] {
            assert!(MANUAL.contains(&format!("\n.It {code} Ta Li {name} Ta ")), "{code} {name}");
        }
    }

    #[test]
    fn the_manual_tells_every_builtin() {
        for (_, verb) in crate::request::Builtin::ALL {
            let told = [format!(".It Ic {verb}"), format!(".Ic {verb} , "), format!(" , {verb}")];
            assert!(told.iter().any(|words| MANUAL.contains(words)), "{verb}");
        }
    }
}
