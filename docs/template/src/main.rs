//! An application of JOS64 outside its tree: it greets whom the command line names, and fails without a name.
#![no_std]
#![no_main]

use kernel as _;
use libjos::prelude::*;

application!(main);

fn main() -> Result<(), String> {
    let words = command_line();
    let name = words.split_whitespace().next().ok_or("whom shall I greet?")?;
    println!("Hello, {name}, from an application of my own!");
    Ok(())
}
