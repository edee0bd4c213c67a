//! What a job prints, and what a client reads. The first two octets say how the others are chopped and flushed.
#![no_main]

use udsadmin::protocol::properties::{output_survives, replies_survive, reply_lines_survive, words_survive};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(([size, flush_every], octets)) = data.split_first_chunk() else { return };
    output_survives(octets, usize::from(*size), usize::from(*flush_every));
    words_survive(octets);
    replies_survive(octets, &String::from_utf8_lossy(octets));
    octets.split(|octet| *octet == b'\n').for_each(reply_lines_survive);
});
