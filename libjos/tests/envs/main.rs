//! Environments on simulated machines: their lives, calls, messages, faults and programs, for every format.
#![allow(clippy::unwrap_used, reason = "a test fails so")]

#[path = "../cases/mod.rs"]
mod cases;
#[path = "../env_model/mod.rs"]
mod env_model;
#[path = "../env_programs/mod.rs"]
mod env_programs;
#[path = "../layouts/mod.rs"]
mod layouts;
#[macro_use]
#[path = "../machines/mod.rs"]
mod machines;

mod archives;
mod calls;
mod corpus;
mod cputs;
mod faults;
mod headers;
mod life;
mod memory;
mod messages;
mod model;
mod programs;
#[path = "../replay/mod.rs"]
mod replay;
#[path = "../env_rig/mod.rs"]
mod rig;
mod shortage;
mod users;
mod words;
