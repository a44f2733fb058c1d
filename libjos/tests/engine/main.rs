//! The memory system on simulated machines, for every format. These tests are one program, since each program that
//! calls the memory system compiles it again, once for each format.

#![cfg_attr(miri, allow(dead_code, unused_imports, unused_macros))]

#[path = "../machines/mod.rs"]
#[macro_use]
mod machines;
#[path = "../cases/mod.rs"]
mod cases;
#[path = "../inputs/mod.rs"]
mod inputs;
#[path = "../layouts/mod.rs"]
mod layouts;
#[path = "../plain/mod.rs"]
mod plain;
#[path = "../replay/mod.rs"]
mod replay;

// Miri takes a minute to set up a machine. What is unsafe in `pages` and in the simulated machine, `mem_init` and `model`
// run, and they alone are run there.
#[cfg(not(miri))]
mod corpus;
mod mem_init;
#[cfg(not(miri))]
mod memory_maps;
mod model;
#[cfg(not(miri))]
mod places;
#[cfg(not(miri))]
mod poison;
#[cfg(not(miri))]
mod processor;
#[cfg(not(miri))]
mod ranges;
#[cfg(not(miri))]
mod shortage;
#[cfg(not(miri))]
mod spaces;
#[cfg(not(miri))]
mod sparse;
mod strategies;
#[cfg(not(miri))]
mod watcher;
