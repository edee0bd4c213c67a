//! What an administrator imports.
#![no_main]

use udsadmin::client::any_sudoers_text_is_imported_whole_or_refused;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(fault) = any_sudoers_text_is_imported_whole_or_refused(text) {
        panic!("{fault}");
    }
});
