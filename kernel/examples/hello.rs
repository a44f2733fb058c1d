//! `make run APP=hello`: the smallest application, and a little more.
//!
//! It greets the world, or the name on the command line (`CMDLINE='-- Ada'`), or asks for a name
//! (`CMDLINE='-- ?'`).
#![no_std]
#![no_main]

use kernel as _;
use libjos::prelude::*;

application!(main);

fn main() {
    let name = match command_line().as_str() {
        "" => "world".to_string(),
        "?" => read_line("Who is there? ").unwrap_or("nobody".into()),
        name => name.to_string(),
    };
    println!("Hello, {name}!");
}
