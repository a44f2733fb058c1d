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

#[cfg(not(jos_machine))]
mod host;
#[cfg(jos_machine)]
mod image;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[cfg(not(jos_machine))]
use host::is_active;
#[cfg(jos_machine)]
use image::is_active;

/// Values in place of a mutant's number: none is active; or none is, and those that are reached are recorded.
const NONE: u32 = u32::MAX;
const RECORD: u32 = u32::MAX - 2;

/// A bit for each mutant that was recorded. Numbers are below 64 times the length. An image has fewer, since it must
/// not grow much.
static SEEN: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];
const WORDS: usize = if cfg!(jos_machine) { 1 << 6 } else { 1 << 10 };

/// Whether the mutant with this number is active. In an image this is a call, which is shorter than the comparison with
/// its line numbers: the image must not grow much.
#[cfg_attr(jos_machine, inline(never))]
#[cfg_attr(not(jos_machine), inline)]
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
