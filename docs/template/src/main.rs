//! An application of JOS64 outside its tree: it greets whom the command line names, and fails without a name.
#![no_std]
#![no_main]

use hello_jos::greeting;
use kernel as _;
use libjos::prelude::*;

application!(main);

fn main() -> Result<(), String> {
    println!("{}", greeting(&command_line())?);
    Ok(())
}
