//! Fuzzes the parser of device trees.
#![no_main]

#[path = "../../boot/tests/inputs/mod.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::run_tree(bytes));
