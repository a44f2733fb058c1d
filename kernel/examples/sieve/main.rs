//! `make run APP=sieve`: counts primes. All there is to see is in `primes.rs`, which the host's tests
//! run, too.
#![no_std]
#![no_main]

mod primes;

use kernel as _;

libjos::application!(primes::main);
