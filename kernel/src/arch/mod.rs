//! The one door to the architecture: what the rest of the kernel knows of the machine goes through here.
//!
//! Each machine has a folder with the same names in it, and this file alone says which folder it is.
//! The parts that two machines share are in a folder of its own, as `x86` is. Nothing here knows what the
//! portable half does with it.
//!
//! | name | each machine gives |
//! |---|---|
//! | [`Layout`], [`Format`] | its memory map, and the entries of its page tables |
//! | `cpu` | the page directory in use, what the processor keeps of it, its stack, counter and features |
//! | `control` | the registers that say how the processor works, to be displayed |
//! | `probe` | accesses that may fault |
//! | `stack` | the move to another stack; stacks for the worst exceptions |
//! | `trap` | exceptions: their frame, their names, and what is known of each |
//! | `faults` | what must fault, by one instruction |
//! | `serial`, `keyboard`, `screen` | the console's devices |
//! | `clock` | how fast the counter runs |
//! | `exit` | the end of the machine, and its reset |

#[cfg(all(target_os = "none", target_arch = "x86_64"))]
mod x86;
#[cfg(all(target_os = "none", target_arch = "x86_64"))]
mod x86_64;
#[cfg(all(target_os = "none", target_arch = "x86_64"))]
use self::x86_64 as machine;

#[cfg(not(target_os = "none"))]
mod host;
#[cfg(not(target_os = "none"))]
use host as machine;

pub(crate) use machine::{Format, Layout};
pub(crate) use machine::{
    clock, control, cpu, exit, faults, keyboard, probe, screen, serial, stack, trap,
};

use layout::MemLayout;
use libjos::paging::format::{self, Geometry};

// Map and format are of one machine. The rest is asserted where it is used.
const _: () = assert!(Layout::VA_BITS == <Format as Geometry>::VA_BITS);
const _: () = assert!(Layout::SELF_MAP == <Format as format::Format>::SELF_MAP);
