//! Which mutant is active: at most one of those that are planted.
//!
//! Programs of the host read its number from their environment ([`host`]), an image has it in a word that `run.py`
//! writes into the file (`image.rs`). Either can instead record each mutant that is reached, once; no mutant is
//! active then. This is how `run.py` finds the tests that reach a mutant.
//!
//! The compiler may call mutated functions to evaluate constants: for it no mutant is active. Detecting such calls
//! needs an unstable feature of the compiler, so this crate is compiled with RUSTC_BOOTSTRAP=mutant.
#![no_std]
#![feature(core_intrinsics, const_eval_select)]
#![allow(internal_features)]

#[cfg(not(target_os = "none"))]
mod host;
#[cfg(target_os = "none")]
mod image;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[cfg(not(target_os = "none"))]
use host::is_active;
#[cfg(target_os = "none")]
use image::is_active;

/// A value in place of a mutant's number: mutants are recorded.
const RECORD: u32 = u32::MAX - 2;

/// A bit for each mutant that was recorded. Numbers are below 64 times the length.
static SEEN: [AtomicU64; 1 << 10] = [const { AtomicU64::new(0) }; 1 << 10];

/// Whether the mutant with this number is active.
#[inline(always)]
pub const fn is(id: u32) -> bool {
    core::intrinsics::const_eval_select((id,), when_compiling, is_active)
}

const fn when_compiling(_: u32) -> bool {
    false
}

/// Whether this mutant is reached for the first time.
fn is_new(id: u32) -> bool {
    let (seen, bit) = (&SEEN[id as usize / 64], 1 << (id % 64));
    // Read first, which is cheap, since most mutants are reached many times.
    seen.load(Relaxed) & bit == 0 && seen.fetch_or(bit, Relaxed) & bit == 0
}
