//! Which mutant is active: the one whose number the environment variable `MUTANT` holds, or none.
//!
//! If `MUTANT_RECORD` names a file, no mutant is active, and the number of each mutant that is reached is
//! appended to that file once. This is how `run.py` finds the tests that reach a mutant.
//!
//! The compiler may call mutated functions to evaluate constants, and it cannot read the environment: for it no
//! mutant is active. Detecting such calls needs an unstable feature of the compiler, so this crate is compiled
//! with RUSTC_BOOTSTRAP=mutant.
#![feature(core_intrinsics, const_eval_select)]
#![allow(internal_features)]

use std::env;
use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Values of [`ACTIVE`] other than a mutant's number.
const UNKNOWN: u32 = u32::MAX;
const NONE: u32 = u32::MAX - 1;
const RECORD: u32 = u32::MAX - 2;

static ACTIVE: AtomicU32 = AtomicU32::new(UNKNOWN);

/// A bit for each mutant that was recorded. Numbers are below 64 times the length.
static SEEN: [AtomicU64; 1 << 10] = [const { AtomicU64::new(0) }; 1 << 10];
static RECORDS: OnceLock<File> = OnceLock::new();

/// Whether the mutant with this number is active.
#[inline]
pub const fn is(id: u32) -> bool {
    core::intrinsics::const_eval_select((id,), when_compiling, when_running)
}

const fn when_compiling(_: u32) -> bool {
    false
}

#[inline]
fn when_running(id: u32) -> bool {
    match ACTIVE.load(Relaxed) {
        RECORD => record(id),
        UNKNOWN => {
            read_environment();
            return when_running(id);
        }
        active => return active == id,
    }
    false
}

#[cold]
#[inline(never)]
fn read_environment() {
    let active = if let Some(path) = env::var_os("MUTANT_RECORD") {
        RECORDS.get_or_init(|| File::options().append(true).create(true).open(path).unwrap());
        RECORD
    } else {
        env::var("MUTANT").map_or(NONE, |id| id.parse().unwrap())
    };
    ACTIVE.store(active, Relaxed);
}

#[cold]
#[inline(never)]
fn record(id: u32) {
    let (seen, bit) = (&SEEN[id as usize / 64], 1 << (id % 64));
    // Read first, which is cheap, since most mutants are reached many times.
    if seen.load(Relaxed) & bit == 0 && seen.fetch_or(bit, Relaxed) & bit == 0 {
        writeln!(RECORDS.get().unwrap(), "{id}").unwrap();
    }
}
