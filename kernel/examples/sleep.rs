//! `make run APP=sleep`: sleeps, for a second or the milliseconds on the command line (`CMDLINE='-- 250'`).
#![no_std]
#![no_main]

use core::num::ParseIntError;

use kernel as _;
use libjos::prelude::*;

application!(main);

fn main() -> Result<(), ParseIntError> {
    let words = command_line();
    let time = Duration::from_millis(if words.is_empty() { 1000 } else { words.parse()? });
    println!("sleeping for {} ms", time.as_millis());
    let start = Instant::now();
    sleep(time);
    println!("slept long enough: {}", start.elapsed() >= time);
    Ok(())
}
