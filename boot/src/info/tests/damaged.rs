//! Damaged information: whatever the bytes, the parsers neither panic nor read outside.

use super::*;

/// Ends memory before the information does, at every byte, and shortens the stated size likewise.
#[test]
fn any_truncation_is_refused_or_harmless() {
    for end in AT as usize..GRUB_END {
        let result = parse(&mut grub(), end, Protocol::Multiboot2, AT);
        assert!(matches!(result, Err(BootInfoError::OutsideWindow { .. })), "{end:#x}: {result:?}");
        let mut memory = grub();
        memory.write(AT as usize, &(end as u32 - AT as u32).to_le_bytes());
        assert!(parse(&mut memory, GRUB_END, Protocol::Multiboot2, AT).is_err(), "{end:#x}");
    }
    for end in AT as usize..QEMU_END {
        assert!(parse(&mut qemu(), end, Protocol::Pvh, AT).is_err(), "{end:#x}");
    }
}

#[test]
fn any_flipped_bit_is_refused_or_harmless() {
    for (good, end, protocol) in
        [(grub(), GRUB_END, Protocol::Multiboot2), (qemu(), QEMU_END, Protocol::Pvh)]
    {
        for bit in (AT as usize * 8..end * 8).step_by(if cfg!(miri) { 67 } else { 1 }) {
            let mut memory = Memory { words: good.words.clone() };
            memory.bytes()[bit / 8] ^= 1 << (bit % 8);
            // An error or success is right; only a panic is wrong.
            let _ = parse(&mut memory, end, protocol, AT);
        }
    }
}

/// Writes random words over the information, mostly ones that mean something elsewhere.
#[test]
fn any_garbage_is_refused_or_harmless() {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut random = move |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % n
    };
    let rounds = if cfg!(miri) { 50 } else { 20_000 };
    for round in 0..rounds {
        let (mut memory, end, protocol) = match round % 2 {
            0 => (grub(), GRUB_END, Protocol::Multiboot2),
            _ => (qemu(), QEMU_END, Protocol::Pvh),
        };
        for _ in 0..=random(8) {
            let at = AT as usize + random((end - AT as usize) as u64 / 4) as usize * 4;
            let value = match random(4) {
                0 => random(64) as u32,
                1 => u32::MAX - random(64) as u32,
                2 => 1 << random(32),
                _ => random(1 << 32) as u32,
            };
            memory.write(at, &value.to_le_bytes());
        }
        let _ = parse(&mut memory, end, protocol, AT);
    }
}
