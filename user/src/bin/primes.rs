//! The sieve of Eratosthenes as a chain of environments: each keeps the first number that it is sent, a prime, and sends on
//! those that it does not divide.
#![no_std]
#![no_main]

use user::prelude::*;

main!(main);

fn main(_: Args) {
    if let Fork::Parent(first) = fork().expect("fork") {
        for number in 2.. {
            ipc_send(first, number);
        }
    }
    loop {
        let prime = ipc_recv().value;
        cprintf!("CPU {}: {prime} ", thisenv().cpunum());
        // The child is the next of the chain.
        let Fork::Parent(next) = fork().unwrap_or_else(|error| panic!("fork: {error}")) else {
            continue;
        };
        loop {
            let number = ipc_recv().value;
            if !number.is_multiple_of(prime) {
                ipc_send(next, number);
            }
        }
    }
}
