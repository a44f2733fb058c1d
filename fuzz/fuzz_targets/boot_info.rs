//! Fuzzes the parsers of boot information.
#![no_main]

#[path = "../../boot/tests/inputs/mod.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::run(bytes));
