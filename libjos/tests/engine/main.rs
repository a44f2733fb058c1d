//! The memory system on simulated machines, for every format. These tests are one program, since each program that
//! calls the memory system compiles it again, once for each format.

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

mod corpus;
mod mem_init;
mod memory_maps;
mod model;
mod places;
mod poison;
mod processor;
mod ranges;
mod shortage;
mod spaces;
mod sparse;
mod strategies;
mod watcher;
