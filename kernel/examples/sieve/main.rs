//! `make run APP=sieve`: counts primes. The code is in `primes.rs`, which the host's tests also run.
#![no_std]
#![no_main]

mod primes;

use kernel as _;

libjos::application!(primes::main);
