//! Poison: patterns in memory by which a heap finds misuse, if it was made to look for it.
//!
//! Every free byte is [`FREE`], except for the links of lists: at the start of a free block and, in
//! segments, at the start of a page. The heap checks this when it allocates the memory. A block has
//! these parts:
//!
//! ```text
//!     | links | FREE ... | Seal | the program's bytes | RED ... |
//!     base              block                              base + size
//! ```
//!
//! FREE is there for large alignments only. RED is a red zone of at least [`RED_ZONE`] bytes. The
//! [`Seal`] has the layout; in a free block its bytes are [`FREE`] too.

use core::alloc::Layout;
use core::ptr::NonNull;

use layout::PGSIZE;

use super::HeapError;
use super::classes::{GRAIN, MAX_SMALL};

/// The value of a free byte.
const FREE: u8 = 0xDF;

/// The value of a byte in a red zone.
const RED: u8 = 0xFD;

/// The value of a byte in a new block, until the program writes it.
const NEW: u8 = 0xCD;

/// The least number of bytes in a red zone.
const RED_ZONE: usize = 16;

/// Bytes that a list's links take in free memory.
const LINKS: usize = super::free_list::FREE_BLOCK;

/// The heap's record in front of an allocated block.
#[repr(C)]
#[derive(Clone, Copy, PartialEq)]
struct Seal {
    /// The block's size.
    size: usize,
    /// A hash of the block's address and size, with its alignment's logarithm in the lowest bits.
    seal: usize,
}

const SEAL: usize = size_of::<Seal>();
// A block behind links and seal is aligned like one without.
const _: () = assert!((LINKS + SEAL).is_multiple_of(GRAIN));

/// The bits of a seal that hold the alignment's logarithm.
const LOG2: usize = 0x3F;

impl Seal {
    const IS_FREE: Self = {
        let word = usize::from_ne_bytes([FREE; size_of::<usize>()]);
        Self { size: word, seal: word }
    };

    fn new(addr: usize, layout: Layout) -> Self {
        let log2 = layout.align().trailing_zeros() as usize;
        Self { size: layout.size(), seal: Self::mix(addr, layout.size()) & !LOG2 | log2 }
    }

    fn mix(addr: usize, size: usize) -> usize {
        (addr ^ size.rotate_left(usize::BITS / 2)).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as usize)
    }

    /// The block's layout, if this is the seal of a block at `addr`.
    fn layout(self, addr: usize) -> Option<Layout> {
        let align = 1_usize.checked_shl((self.seal & LOG2) as u32)?;
        let layout = Layout::from_size_align(self.size, align).ok()?;
        (Self::new(addr, layout) == self).then_some(layout)
    }
}

/// Bytes from the base to the program's block.
pub(super) fn front(layout: Layout) -> usize {
    layout.align().max(LINKS + SEAL)
}

/// The layout of all that must be allocated for a block of `layout`. `None` if no layout is so large.
pub(super) fn padded(layout: Layout) -> Option<Layout> {
    let size = front(layout).checked_add(layout.size())?.checked_add(RED_ZONE)?;
    let align = layout.align().max(GRAIN);
    // A block with a larger alignment is large, too: it has as many bytes in front.
    let (size, align) = if size > MAX_SMALL {
        (size.checked_next_multiple_of(PGSIZE as usize)?, align.max(PGSIZE as usize))
    } else {
        (size.next_multiple_of(GRAIN), align)
    };
    Layout::from_size_align(size, align).ok()
}

/// Fills `size` bytes that are free now.
///
/// # Safety
///
/// The bytes are mapped, and nobody's.
pub(super) unsafe fn fill(at: NonNull<u8>, size: usize) {
    // SAFETY: the caller's promise.
    unsafe { at.write_bytes(FREE, size) };
}

/// Checks that nobody wrote to `size` free bytes, which may have links at each multiple of `every`
/// bytes.
///
/// # Errors
///
/// [`HeapError::UseAfterFree`].
///
/// # Safety
///
/// The `size` bytes are mapped, and nobody's.
pub(super) unsafe fn check_free(
    at: NonNull<u8>,
    size: usize,
    every: usize,
) -> Result<(), HeapError> {
    for start in (0..size).step_by(every) {
        // SAFETY: the caller's promise.
        unsafe { unchanged(at, start + LINKS..start + every, FREE) }
            .map_err(|changed| HeapError::UseAfterFree { at: at.addr().get(), size, changed })?;
    }
    Ok(())
}

/// Makes a block for `layout` from the `size` bytes at `base`, which were allocated for it. Checks them
/// first if they are `small`; larger ones have been checked.
///
/// # Errors
///
/// [`HeapError::UseAfterFree`].
///
/// # Safety
///
/// The bytes are mapped and nobody's, and enough for the block.
pub(super) unsafe fn seal(
    base: NonNull<u8>,
    size: usize,
    small: bool,
    layout: Layout,
) -> Result<NonNull<u8>, HeapError> {
    let front = front(layout);
    // SAFETY: all writes are within the bytes that the caller leaves to this function. A block is
    // aligned to more than a seal.
    unsafe {
        if small {
            check_free(base, size, size)?;
        }
        let block = base.add(front);
        block.cast::<Seal>().sub(1).write(Seal::new(block.addr().get(), layout));
        block.write_bytes(NEW, layout.size());
        block.add(layout.size()).write_bytes(RED, size - front - layout.size());
        Ok(block)
    }
}

/// Checks that `block` was allocated with the layout `given`.
///
/// # Errors
///
/// [`HeapError::DoubleFree`], [`HeapError::Foreign`], [`HeapError::WrongLayout`].
///
/// # Safety
///
/// The [`LINKS`] and [`SEAL`] bytes in front of `block` are mapped.
pub(super) unsafe fn check_seal(block: NonNull<u8>, given: Layout) -> Result<(), HeapError> {
    let (at, size) = (block.addr().get(), given.size());
    // SAFETY: the caller's promise; integers may be read from any bytes.
    let seal = unsafe { block.cast::<Seal>().sub(1).read_unaligned() };
    match seal.layout(at) {
        Some(allocated) if allocated == given => Ok(()),
        Some(allocated) => Err(HeapError::WrongLayout { at, allocated, given }),
        None if seal == Seal::IS_FREE => Err(HeapError::DoubleFree { at, size }),
        None => Err(HeapError::Foreign { at, size }),
    }
}

/// Checks that the program wrote only to its own bytes of a block of `layout`, for which `size` bytes
/// were allocated.
///
/// # Errors
///
/// [`HeapError::Overrun`].
///
/// # Safety
///
/// There is such a block, and it is allocated.
pub(super) unsafe fn check_zones(
    block: NonNull<u8>,
    size: usize,
    layout: Layout,
) -> Result<(), HeapError> {
    let front = front(layout);
    // SAFETY: the block's bytes are `size` from its base on, the caller says.
    let changed = unsafe {
        let base = block.sub(front);
        unchanged(base, LINKS..front - SEAL, FREE)
            .and_then(|()| unchanged(base, front + layout.size()..size, RED))
    };
    let overrun =
        |changed| HeapError::Overrun { at: block.addr().get(), size: layout.size(), changed };
    changed.map_err(overrun)
}

/// Checks that each byte in this range of offsets is `byte`. The address of the first other one is the
/// error.
///
/// # Safety
///
/// The bytes are mapped, and nobody writes them.
unsafe fn unchanged(
    at: NonNull<u8>,
    range: core::ops::Range<usize>,
    byte: u8,
) -> Result<(), usize> {
    // SAFETY: the caller's promise. The reference ends with this function.
    let bytes = unsafe { core::slice::from_raw_parts(at.add(range.start).as_ptr(), range.len()) };
    // Slices are compared many bytes at a time.
    let expected = [byte; 256];
    let pieces = bytes.chunks(expected.len());
    let Some(piece) = pieces.clone().position(|piece| *piece != expected[..piece.len()]) else {
        return Ok(());
    };
    let start = piece * expected.len();
    let within = bytes[start..].iter().take_while(|found| **found == byte).count();
    Err(at.addr().get() + range.start + start + within)
}
