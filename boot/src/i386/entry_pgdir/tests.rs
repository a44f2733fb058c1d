//! The entry page directory maps the window twice, and nothing else.

use super::*;
use core::sync::atomic::Ordering;

#[test]
fn maps_the_window_twice_and_nothing_else() {
    for (i, entry) in entry_pgdir.0.iter().enumerate() {
        let entry = entry.load(Ordering::Relaxed);
        let va = i as u64 * Jos32::PTSIZE;
        let offset = if va < Jos32::KERNBASE { va } else { va - Jos32::KERNBASE };
        if offset < Jos32::WINDOW_SIZE {
            // P, W and PS, and neither U, nor an address above 4 GB in bits 13 to 20.
            assert_eq!(u64::from(entry), offset | 0x83, "entry {i}");
        } else {
            assert_eq!(entry, 0, "entry {i}");
        }
    }
}
