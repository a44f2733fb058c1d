//! `cargo test` boots this application, which tests the library in the machine. A panic is a failure.
#![no_std]
#![no_main]

use hello_jos::greeting;
use kernel as _;
use libjos::prelude::*;

application!(main);

fn main() {
    assert_eq!(greeting("Ada Lovelace").unwrap(), "Hello, Ada, from an application of my own!");
    assert!(greeting("").is_err());
    println!("The greeting is right.");
}
