//! ELF files to be loaded, made in memory.

use layout::PGSIZE;
use libjos::env::TrapFrame;
use libjos::paging::format::Format;
use libjos::paging::word::Word;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::SimFrame;

pub(crate) const R: u32 = 4;
pub(crate) const W: u32 = 2;
pub(crate) const X: u32 = 1;

/// A segment of a file to be made: address, flags, bytes in memory, bytes in the file.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) va: u64,
    pub(crate) flags: u32,
    pub(crate) size: u64,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn part(va: u64, flags: u32, size: u64, bytes: &[u8]) -> Part {
    Part { va, flags, size, bytes: bytes.to_vec() }
}

/// As the linker of JOS's programs lays them out: symbols, code, data.
pub(crate) fn hello() -> Vec<Part> {
    let text: Vec<u8> = (0..=255).cycle().take(5000).collect();
    vec![
        part(0x20_0000, R, 18, b"stabs"),
        part(0x80_0020, R | X, 5000, &text),
        part(0x80_2000, R | W, 9000, b"data"),
    ]
}

/// An ELF file of a machine with this format, that begins in the second part.
pub(crate) fn elf_of<F: Format + Mmu>(parts: &[Part]) -> Vec<u8> {
    let entry = parts.get(1).map_or(0, |part| part.va);
    elf_file(F::Word::BYTES == 8, SimFrame::<F>::ELF_MACHINE, 2, entry, parts)
}

/// Writes numbers of a header, each with its size in bytes.
fn fields(file: &mut Vec<u8>, fields: &[(usize, u64)]) {
    for (size, value) in fields {
        file.extend(&value.to_le_bytes()[..*size]);
    }
}

pub(crate) fn elf_file(wide: bool, machine: u16, kind: u64, entry: u64, parts: &[Part]) -> Vec<u8> {
    let word = if wide { 8 } else { 4 };
    let (header, row) = if wide { (64, 56) } else { (52, 32) };
    let mut file = b"\x7fELF".to_vec();
    file.extend([if wide { 2 } else { 1 }, 1, 1]);
    file.resize(16, 0);
    let n = parts.len() as u64;
    fields(&mut file, &[(2, kind), (2, u64::from(machine)), (4, 1), (word, entry)]);
    fields(&mut file, &[(word, header), (word, 0), (4, 0), (2, header), (2, row), (2, n)]);
    fields(&mut file, &[(2, 0), (2, 0), (2, 0)]);
    let mut offset = header + row * n;
    for Part { va, flags, size, bytes } in parts {
        let (flags, len) = (u64::from(*flags), bytes.len() as u64);
        if wide {
            fields(&mut file, &[(4, 1), (4, flags), (8, offset), (8, *va), (8, *va)]);
            fields(&mut file, &[(8, len), (8, *size), (8, PGSIZE)]);
        } else {
            fields(&mut file, &[(4, 1), (4, offset), (4, *va), (4, *va), (4, len), (4, *size)]);
            fields(&mut file, &[(4, flags), (4, PGSIZE)]);
        }
        offset += len;
    }
    for part in parts {
        file.extend(&part.bytes);
    }
    file
}
