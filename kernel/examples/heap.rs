//! `make run APP=heap`: collections, growth to most of RAM, and giving it all back.
//!
//! `CMDLINE='-- exhaust'` adds an allocation that fails without being checked;
//! `CMDLINE='leakcheck -- leak'` adds one that is never freed.
#![no_std]
#![no_main]

use kernel as _;
use libjos::alloc::collections::TryReserveError;
use libjos::alloc::rc::Rc;
use libjos::prelude::*;

application!(main);

/// Bytes of each allocation in [`grow`].
const CHUNK: usize = 1 << 16;

fn main() -> Result<(), String> {
    collections();
    grow()?;
    // All memory was given back, so growing works again.
    grow()?;
    match command_line().as_str() {
        "exhaust" => drop(Vec::<u8>::with_capacity(usize::MAX / 4)),
        "leak" => core::mem::forget(Vec::<u8>::with_capacity(100_000)),
        _ => {}
    }
    Ok(())
}

/// Uses a map, a shared box and a vector.
fn collections() {
    let text = "the quick brown fox jumps over the lazy dog and the cat";
    let mut words = BTreeMap::new();
    for word in text.split(' ') {
        *words.entry(word).or_insert(0) += 1;
    }
    let mut by_count: Vec<_> = words.into_iter().collect();
    by_count.sort_by_key(|(word, count)| (core::cmp::Reverse(*count), *word));
    println!("BTreeMap, Vec: {:?}", &by_count[..3]);

    let shared = Rc::new(Box::new(format!("{:>5}", 42)));
    let also = Rc::clone(&shared);
    println!("Rc<Box<String>>: {also:?}, {} owners", Rc::strong_count(&shared));

    let mut squares: Vec<u64> = (0..100_000).map(|n| n * n).collect();
    squares.reverse();
    squares.shrink_to(50_000);
    println!("Vec<u64>: {} numbers, the first {}", squares.len(), squares[0]);
}

/// Allocates until there is no memory left, and gives it all back.
fn grow() -> Result<(), String> {
    let before = memory_use();
    debug!("{before}");
    let mut chunks = Vec::new();
    let refused = loop {
        match chunk(chunks.len()) {
            Ok(chunk) => chunks.push(chunk),
            Err(error) => break error,
        }
    };
    debug!("{}", memory_use());
    for (chunk, number) in chunks.iter().zip(0..) {
        if chunk[0] != number as u8 || chunk[CHUNK - 1] != number as u8 {
            return Err(format!("chunk {number} does not hold what was written"));
        }
    }
    let bytes = chunks.len() as u64 * CHUNK as u64;
    let percent = bytes * 100 / (before.free_pages as u64 * PGSIZE);
    println!("grew to 9/10 of the free memory and more: {}; then:", percent >= 90);
    println!("  {refused}");
    Ok(())
}

/// Allocates a chunk, with `number` at both ends.
fn chunk(number: usize) -> Result<Vec<u8>, TryReserveError> {
    let mut chunk = Vec::new();
    chunk.try_reserve_exact(CHUNK)?;
    chunk.resize(CHUNK, 0);
    chunk[0] = number as u8;
    chunk[CHUNK - 1] = number as u8;
    Ok(chunk)
}
