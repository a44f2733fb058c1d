//! The sieve of Eratosthenes, up to the number on the command line (`CMDLINE='-- 1000'`).

use libjos::prelude::*;
use libjos::println;

/// The limit without a command line.
const LIMIT: usize = 1_000_000;

/// Counts the primes up to a limit, and prints their number, the last, and their sum.
pub(crate) fn main() -> Result<(), String> {
    let limit = match command_line().as_str() {
        "" => LIMIT,
        word => word.parse().map_err(|error| format!("{word:?}: {error}"))?,
    };
    let start = Instant::now();
    let primes = primes(limit)?;
    info!("sieved in {:?}", start.elapsed());
    println!("{} primes up to {limit}", primes.len());
    if let [.., last] = primes.as_slice() {
        let sum: u64 = primes.iter().map(|prime| *prime as u64).sum();
        println!("the last is {last}, their sum {sum}");
    }
    Ok(())
}

/// All primes up to `limit`.
fn primes(limit: usize) -> Result<Vec<usize>, String> {
    let mut composite = Vec::new();
    let size = limit.saturating_add(1);
    composite.try_reserve_exact(size).map_err(|error| format!("{limit}: {error}"))?;
    composite.resize(size, false);

    let mut primes = Vec::new();
    for n in 2..=limit {
        if !composite[n] {
            primes.push(n);
            (n.saturating_mul(n)..=limit)
                .step_by(n)
                .for_each(|multiple| composite[multiple] = true);
        }
    }
    Ok(primes)
}
