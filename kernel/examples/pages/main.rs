//! `make run APP=pages`: an application's use of pages and faults. The code is in `demo.rs`, which the
//! host's tests also run, on a simulated machine.
#![no_std]
#![no_main]

mod demo;

use kernel as _;

libjos::application!(demo::main);
