//! Fuzzes calls, accesses and faults of environments against the plain model of libjos's tests.
#![no_main]

#[path = "../../libjos/tests/env_model/mod.rs"]
mod env_model;
#[path = "../../libjos/tests/env_rig/mod.rs"]
mod rig;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| env_model::run(bytes));
