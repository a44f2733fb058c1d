//! `make run APP=pages`: what an application can do with pages and faults. All there is to see is in
//! `demo.rs`, which the host's tests run, too, on a simulated machine.
#![no_std]
#![no_main]

mod demo;

use kernel as _;

libjos::application!(demo::main);
