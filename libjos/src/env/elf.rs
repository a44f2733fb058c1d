//! [`Program`]: an ELF file whose segments may be loaded. Nothing in the file is trusted.

use core::fmt;

use elf::ElfBytes;
use elf::abi::{ET_EXEC, PF_W, PF_X, PT_LOAD};
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::segment::{ProgramHeader, SegmentTable};
use layout::{MemLayout, PGSIZE, page_round_down};

use super::frame::TrapFrame;
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::paging::format::{Format, Perm};
use crate::paging::word::Word;

/// Why a file is no program that can be loaded. Addresses are those of the segment at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElfError {
    /// It does not begin as an ELF file, its headers are cut off, or its numbers are not little-endian.
    Malformed,
    /// Its addresses have another width than the machine's.
    Class,
    /// It is another machine's.
    Machine {
        /// The machine's number.
        e_machine: u16,
    },
    /// It is no program that is linked to fixed addresses.
    NotExecutable {
        /// The kind of file.
        e_type: u16,
    },
    /// No segment is to be loaded.
    Empty,
    /// The program begins outside the segments that may be executed.
    Entry {
        /// Where it begins.
        va: u64,
    },
    /// A segment's bytes lie outside the file.
    OutsideFile {
        /// Where the segment begins.
        va: u64,
    },
    /// A segment has more bytes in the file than in memory.
    LongerThanMemory {
        /// Where the segment begins.
        va: u64,
    },
    /// A segment wraps around the address space.
    Wraps {
        /// Where the segment begins.
        va: u64,
    },
    /// A segment lies in the page at address 0.
    PageZero {
        /// Where the segment begins.
        va: u64,
    },
    /// A segment reaches the stack, or beyond it.
    TooHigh {
        /// Where the segment begins.
        va: u64,
    },
    /// A segment overlaps the one before it in the file, or lies below it.
    Overlap {
        /// Where the segment begins.
        va: u64,
    },
    /// A page would be writable and executable at once.
    WritableCode {
        /// Where the segment begins.
        va: u64,
    },
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Malformed => f.write_str("this is no ELF file, or a damaged one"),
            Self::Class => {
                f.write_str("the program's addresses have another width than this machine's")
            }
            Self::Machine { e_machine } => {
                write!(f, "the program is another machine's ({e_machine})")
            }
            Self::NotExecutable { e_type } => {
                write!(f, "the file is no program linked to fixed addresses (type {e_type})")
            }
            Self::Empty => f.write_str("the program has nothing to load"),
            Self::Entry { va } => write!(f, "the program begins at {va:#x}, where it has no code"),
            Self::OutsideFile { va } => {
                write!(f, "the bytes of the segment at {va:#x} lie outside the file")
            }
            Self::LongerThanMemory { va } => {
                write!(f, "the segment at {va:#x} has more bytes in the file than in memory")
            }
            Self::Wraps { va } => {
                write!(f, "the segment at {va:#x} wraps around the address space")
            }
            Self::PageZero { va } => write!(f, "the segment at {va:#x} lies in page 0"),
            Self::TooHigh { va } => {
                write!(f, "the segment at {va:#x} reaches the stack or beyond it")
            }
            Self::Overlap { va } => {
                write!(f, "the segment at {va:#x} overlaps the one before it, or lies below it")
            }
            Self::WritableCode { va } => {
                write!(f, "the segment at {va:#x} makes a page both writable and executable")
            }
        }
    }
}

impl core::error::Error for ElfError {}

/// A segment to be loaded: the memory from `va` on, and the bytes at its beginning. Zeros follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// The first address.
    pub va: VirtAddr,
    /// Bytes in memory; not 0.
    pub size: u64,
    /// The bytes of the file, no more than that.
    pub bytes: &'a [u8],
    /// Who may do what.
    pub perm: Perm,
}

/// A program that may be loaded: its segments lie in memory that programs may have, in ascending order, and
/// none overlaps another.
#[derive(Clone, Debug)]
pub struct Program<'a> {
    file: &'a [u8],
    table: SegmentTable<'a, LittleEndian>,
    entry: VirtAddr,
    npages: u64,
}

impl<'a> Program<'a> {
    /// Looks at a whole ELF file for a machine `M` with frames `F`.
    ///
    /// # Errors
    ///
    /// [`ElfError`], for the first fault.
    pub fn new<M: Machine, F: TrapFrame>(file: &'a [u8]) -> Result<Self, ElfError> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(file).map_err(|_| ElfError::Malformed)?;
        let header = elf.ehdr;
        let class = if F::Word::BYTES == 4 { Class::ELF32 } else { Class::ELF64 };
        if header.class != class {
            return Err(ElfError::Class);
        }
        if header.e_machine != F::ELF_MACHINE {
            return Err(ElfError::Machine { e_machine: header.e_machine });
        }
        if header.e_type != ET_EXEC {
            return Err(ElfError::NotExecutable { e_type: header.e_type });
        }
        let table = elf.segments().ok_or(ElfError::Empty)?;
        let entry = VirtAddr::new(header.e_entry);
        let mut program = Self { file, table, entry, npages: 0 };
        program.npages = program.check::<M>()?;
        Ok(program)
    }

    /// Where the program begins.
    #[must_use]
    pub fn entry(&self) -> VirtAddr {
        self.entry
    }

    /// How many pages its segments take.
    #[must_use]
    pub fn npages(&self) -> u64 {
        self.npages
    }

    /// The segments to be loaded, from the lowest up.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'a>> + use<'a> {
        let file = self.file;
        // All could be made when they were checked.
        self.headers().filter_map(move |header| segment(file, &header).ok())
    }

    /// The headers of segments that take memory.
    fn headers(&self) -> impl Iterator<Item = ProgramHeader> + use<'a> {
        self.table.iter().filter(|header| header.p_type == PT_LOAD && header.p_memsz > 0)
    }

    /// Checks the segments, and returns how many pages they take.
    fn check<M: Machine>(&self) -> Result<u64, ElfError> {
        // The lowest page of the stack.
        let limit = M::Layout::USTACKTOP - PGSIZE;
        // Without a bit for it, each page may be executed.
        let all_executable = M::Format::ALWAYS.contains(Perm::X);
        let (mut npages, mut entered) = (0, false);
        // The end of the segment before, and the permissions of its last page.
        let (mut last_end, mut last_perm) = (0, Perm::empty());
        for header in self.headers() {
            let segment = segment(self.file, &header)?;
            let (va, mut perm) = (segment.va.as_u64(), segment.perm);
            let end = va.checked_add(segment.size).ok_or(ElfError::Wraps { va })?;
            if va < PGSIZE {
                return Err(ElfError::PageZero { va });
            }
            if end > limit {
                return Err(ElfError::TooHigh { va });
            }
            if va < last_end {
                return Err(ElfError::Overlap { va });
            }
            let pages = page_round_down(va)..end.next_multiple_of(PGSIZE);
            npages += (pages.end - pages.start) / PGSIZE;
            if pages.start < last_end {
                // The two share a page.
                (npages, perm) = (npages - 1, perm | last_perm);
            }
            if perm.contains(Perm::W | Perm::X) && !all_executable {
                return Err(ElfError::WritableCode { va });
            }
            let entry = self.entry.as_u64();
            entered |= segment.perm.contains(Perm::X) && va <= entry && entry < end;
            last_perm = if pages.end - pages.start == PGSIZE { perm } else { segment.perm };
            last_end = end;
        }
        if npages == 0 {
            return Err(ElfError::Empty);
        }
        if !entered {
            return Err(ElfError::Entry { va: self.entry.as_u64() });
        }
        Ok(npages)
    }
}

/// The segment that `header` describes, if its bytes are in the file and fit in it.
fn segment<'a>(file: &'a [u8], header: &ProgramHeader) -> Result<Segment<'a>, ElfError> {
    let va = header.p_vaddr;
    if header.p_filesz > header.p_memsz {
        return Err(ElfError::LongerThanMemory { va });
    }
    let bytes = (|| {
        let start = usize::try_from(header.p_offset).ok()?;
        let end = start.checked_add(usize::try_from(header.p_filesz).ok()?)?;
        file.get(start..end)
    })();
    let bytes = bytes.ok_or(ElfError::OutsideFile { va })?;
    let mut perm = Perm::UR;
    perm.set(Perm::W, header.p_flags & PF_W != 0);
    perm.set(Perm::X, header.p_flags & PF_X != 0);
    Ok(Segment { va: VirtAddr::new(va), size: header.p_memsz, bytes, perm })
}
