//! Fuzzes the files of programs: ELF files and archives of them.
#![no_main]

#[path = "../../libjos/tests/env_programs/mod.rs"]
mod env_programs;
#[path = "../../libjos/tests/env_rig/mod.rs"]
mod rig;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| env_programs::run(bytes));
