//! Fuzzes lines at the monitor's prompt.
#![no_main]

#[path = "../../monitor/tests/inputs/mod.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::run(bytes));
