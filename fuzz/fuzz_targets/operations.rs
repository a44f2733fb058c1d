//! Fuzzes sequences of operations against the plain model of libjos's tests.
#![no_main]

#[path = "../../libjos/tests/inputs/mod.rs"]
mod inputs;
#[path = "../../libjos/tests/layouts/mod.rs"]
mod layouts;
#[path = "../../libjos/tests/plain/mod.rs"]
mod plain;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::run(bytes));
