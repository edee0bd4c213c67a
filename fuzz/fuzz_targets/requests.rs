//! What a client sends, octet by octet. The first octet says how it is chopped, the others are the conversation.
#![no_main]

use udsadmin::protocol::properties::chopping_changes_nothing;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((size, conversation)) = data.split_first() else { return };
    chopping_changes_nothing(conversation, usize::from(*size));
});
