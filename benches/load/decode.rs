//! What a job wrote, from the lines of a reply. Its own reading of udsadmin-protocol(7), so that it vouches for the server's.

/// The standard output told by this reply, and its final line; `None` for what is no such reply.
pub(crate) fn stdout(reply: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut octets = Vec::with_capacity(reply.len());
    for line in reply.split(|octet| *octet == b'\n') {
        match line {
            [b'|', b' ', text @ ..] => {
                unescape(text, &mut octets)?;
                octets.push(b'\n');
            }
            [b'|', b'~', text @ ..] => unescape(text, &mut octets)?,
            [b'#', ..] => {}
            [b'0'..=b'9', ..] => return Some((octets, line)),
            _ => return None,
        }
    }
    None
}

fn unescape(mut text: &[u8], octets: &mut Vec<u8>) -> Option<()> {
    while let Some((octet, after)) = text.split_first() {
        text = match (octet, after) {
            (b'\\', [b'\\', after @ ..]) => {
                octets.push(b'\\');
                after
            }
            (b'\\', [b'x', high, low, after @ ..]) => {
                octets.push(digit(*high)? << 4 | digit(*low)?);
                after
            }
            (b'\\', _) => return None,
            (octet, after) => {
                octets.push(*octet);
                after
            }
        };
    }
    Some(())
}

fn digit(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
