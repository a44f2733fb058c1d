//! [`Dump`]: a core file that QEMU's `dump-guest-memory` wrote, as physical memory.
//!
//! The file states the physical addresses of each piece of the guest's memory, so this needs no
//! knowledge of the machine's RAM. Frames are read on demand: most of a large machine's memory is
//! never needed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::Display;
use std::fs::File;
use std::os::unix::fs::FileExt;

use layout::PGSIZE;
use libjos::machine::PhysMem;
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::pages::PageArray;
use libjos::paging::word::Word;
use object::elf::{FileHeader32, FileHeader64, PT_LOAD};
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

/// A piece of physical memory, and its offset in the file.
#[derive(Debug)]
struct Piece {
    range: PhysRange,
    offset: u64,
}

/// Physical memory in a file. Addresses outside of the file's pieces read as zeros, which is an absent
/// entry in every format.
#[derive(Debug)]
pub(crate) struct Dump {
    file: File,
    pieces: Vec<Piece>,
    /// The frames that were read, by number.
    frames: RefCell<HashMap<u64, Vec<u8>>>,
}

impl Dump {
    /// The memory in `file`.
    pub(crate) fn new(file: File) -> Result<Self, Box<dyn Error>> {
        let size = file.metadata()?.len();
        let cache = ReadCache::new(&file);
        let pieces = match FileKind::parse(&cache) {
            Ok(FileKind::Elf64) => pieces::<FileHeader64<Endianness>>(&cache, size)?,
            // QEMU writes it so for a 32-bit processor with less than 4 GB.
            Ok(FileKind::Elf32) => pieces::<FileHeader32<Endianness>>(&cache, size)?,
            Ok(_) => return Err(no_core("another kind of file").into()),
            Err(error) => return Err(no_core(error).into()),
        };
        if pieces.is_empty() {
            return Err("there is no memory in this core file".into());
        }
        drop(cache);
        Ok(Self { file, pieces, frames: RefCell::default() })
    }

    /// The bytes of a frame; zeros for addresses that are not in the file.
    fn frame(&self, number: u64) -> Vec<u8> {
        let mut bytes = vec![0; PGSIZE as usize];
        let start = PhysAddr::new(number * PGSIZE);
        if let Some(piece) = self.pieces.iter().find(|piece| piece.range.contains(start)) {
            let size = PGSIZE.min(piece.range.end_exclusive - start) as usize;
            let at = piece.offset + (start - piece.range.start);
            if let Err(error) = self.file.read_exact_at(&mut bytes[..size], at) {
                panic!("the dump cannot be read at {at:#x}: {error}");
            }
        }
        bytes
    }
}

fn no_core(error: impl Display) -> String {
    format!("this is no core file of QEMU's dump-guest-memory: {error}")
}

/// The pieces of memory in a core file of `size` bytes.
fn pieces<H: FileHeader<Endian = Endianness>>(
    cache: &ReadCache<&File>,
    size: u64,
) -> Result<Vec<Piece>, Box<dyn Error>> {
    let header = H::parse(cache).map_err(no_core)?;
    let endian = header.endian()?;
    let mut pieces = Vec::new();
    for segment in header.program_headers(endian, cache)? {
        if segment.p_type(endian) != PT_LOAD {
            continue;
        }
        let start = PhysAddr::new(segment.p_paddr(endian).into());
        let (offset, length): (u64, u64) =
            (segment.p_offset(endian).into(), segment.p_filesz(endian).into());
        let end = offset.checked_add(length).filter(|end| *end <= size);
        if end.is_none() {
            return Err(format!(
                "the dump is cut off: it has {size} bytes, but the memory at {start} should \
                 be at {offset} and {length} bytes long; was QEMU stopped, or the disk full?"
            )
            .into());
        }
        pieces.push(Piece { range: PhysRange::from_size(start, length), offset });
    }
    Ok(pieces)
}

impl PhysMem for Dump {
    fn load<W: Word>(&self, pa: PhysAddr) -> W {
        let number = pa.as_u64() / PGSIZE;
        let mut frames = self.frames.borrow_mut();
        let bytes = frames.entry(number).or_insert_with(|| self.frame(number));
        let at = (pa.as_u64() % PGSIZE) as usize;
        let word = &bytes[at..at + W::BYTES as usize];
        W::from_u64(word.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn store<W: Word>(&self, pa: PhysAddr, _word: W) {
        panic!("a dump is not written to, not at {pa} either")
    }

    fn compare_exchange<W: Word>(&self, pa: PhysAddr, _current: W, _new: W) -> Result<(), W> {
        panic!("a dump is not written to, not at {pa} either")
    }

    fn zero_frame(&self, pa: PhysAddr) {
        panic!("a dump is not written to, not at {pa} either")
    }

    unsafe fn page_array(&self, pa: PhysAddr, _npages: usize) -> PageArray {
        panic!("no page allocator runs on a dump: the array at {pa} is copied out of it")
    }
}
