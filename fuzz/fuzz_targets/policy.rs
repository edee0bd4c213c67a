//! What an administrator writes.
#![no_main]

use udsadmin::policy::properties::any_text_is_a_policy_or_is_refused_with_a_place;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(fault) = any_text_is_a_policy_or_is_refused_with_a_place(text) {
        panic!("{fault}");
    }
});
