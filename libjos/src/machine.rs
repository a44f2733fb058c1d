//! The machine beneath the memory system, as two traits: [`PhysMem`] and [`Machine`].
//!
//! `kernel` implements both for a real PC, `sim` for simulated machines. The rest of this crate is
//! written against them and knows no hardware.

use core::fmt;
use core::mem::take;

use layout::{MemLayout, round_down};

use crate::mem::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::mem::pages::array::PageArray;
use crate::mem::pages::globals::Globals;
use crate::paging::format::Format;
use crate::paging::word::Word;

/// Physical memory, by address.
///
/// The memory system reads and writes page-table entries through this as single words, each in
/// one access, because processors set accessed and dirty bits behind the kernel's back. An entry that
/// stays present is changed by [`compare_exchange`](Self::compare_exchange), so that no such bit is
/// lost. An entry that becomes present, or ceases to be, is stored: its page has not been used yet, or its
/// bits no longer matter.
///
/// Methods take `&self`: memory is shared with the processor, and two words never overlap.
/// They panic for an address that is not aligned to the word, or that cannot be reached.
pub trait PhysMem {
    /// Reads the word at `pa`, in one access.
    fn load<W: Word>(&self, pa: PhysAddr) -> W;

    /// Writes the word at `pa`, in one access, after all earlier writes.
    fn store<W: Word>(&self, pa: PhysAddr, word: W);

    /// Writes `new` to the word at `pa` if that is `current`, in one access, after all earlier writes.
    ///
    /// # Errors
    ///
    /// The word that is there instead. Nothing has changed then.
    fn compare_exchange<W: Word>(&self, pa: PhysAddr, current: W, new: W) -> Result<(), W>;

    /// Writes `count` words from `pa` on, all in one frame: `first`, `first + step`, and so on.
    /// A processor may walk them meanwhile, so each is written in one access; their order is free.
    fn store_run<W: Word>(&self, pa: PhysAddr, first: W, step: W, count: usize) {
        let mut word = first;
        for i in 0..count as u64 {
            self.store(pa + i * W::BYTES, word);
            word = word.wrapping_add(step);
        }
    }

    /// How many of the `count` words from `pa` on are 0 before the first that is not. All lie in one frame.
    fn zeros<W: Word>(&self, pa: PhysAddr, count: usize) -> usize {
        let at = |i: usize| PhysAddr::new(pa.as_u64() + i as u64 * W::BYTES);
        count_zeros(pa, count, |i| self.load::<W>(at(i)))
    }

    /// As [`zeros`](Self::zeros), in a table that no processor comes to any more. So any accesses will do.
    fn zeros_unused<W: Word>(&self, pa: PhysAddr, count: usize) -> usize {
        self.zeros::<W>(pa, count)
    }

    /// Reads the bytes at `pa`, all of one frame, in any order.
    fn load_bytes(&self, mut pa: PhysAddr, mut dst: &mut [u8]) {
        while !dst.is_empty() {
            let word = PhysAddr::new(round_down(pa.as_u64(), u32::BYTES));
            let bytes = self.load::<u32>(word).to_le_bytes();
            let bytes = &bytes[(pa - word) as usize..];
            let n = bytes.len().min(dst.len());
            let (now, later) = take(&mut dst).split_at_mut(n);
            now.copy_from_slice(&bytes[..n]);
            (pa, dst) = (pa + n as u64, later);
        }
    }

    /// Writes the bytes at `pa`, all of one frame, in any order. Their neighbours in the same word may be written back
    /// as they were.
    fn store_bytes(&self, mut pa: PhysAddr, mut src: &[u8]) {
        while !src.is_empty() {
            let word = PhysAddr::new(round_down(pa.as_u64(), u32::BYTES));
            let mut bytes = self.load::<u32>(word).to_le_bytes();
            let part = &mut bytes[(pa - word) as usize..];
            let n = part.len().min(src.len());
            let (now, later) = src.split_at(n);
            part[..n].copy_from_slice(now);
            self.store(word, u32::from_le_bytes(bytes));
            (pa, src) = (pa + n as u64, later);
        }
    }

    /// Writes `words` from `pa` on, all in one frame that holds no table, in any order.
    fn store_words<W: Word>(&self, pa: PhysAddr, words: &[W]) {
        words.iter().zip(0..).for_each(|(word, i)| self.store(pa + i * W::BYTES, *word));
    }

    /// As [`store_run`](Self::store_run), in a table that no processor comes to: nothing links to it
    /// until a later [`store`](Self::store) or exchange. So any accesses will do, wider ones too.
    fn fill_run<W: Word>(&self, pa: PhysAddr, first: W, step: W, count: usize) {
        self.store_run(pa, first, step, count);
    }

    /// Fills the frame that begins at `pa` with zeros.
    fn zero_frame(&self, pa: PhysAddr);

    /// The memory at `pa` as an array of `npages` [`PageInfo`](crate::mem::pages::PageInfo)s. `mem_init`
    /// calls this for memory that it has allocated and zeroed: for `pages`, and for the table
    /// beside it.
    ///
    /// # Safety
    ///
    /// No object of Rust's lies there: as long as the array lives, nobody has a reference into this
    /// memory but the array's user. Words in it may be loaded and stored by this trait's methods all
    /// the same, as anywhere.
    #[expect(unsafe_code)]
    unsafe fn page_array(&self, pa: PhysAddr, npages: usize) -> PageArray;
}

/// Does [`PhysMem::zeros`] with the words that `load` gives. Most tables are mostly empty, so groups of words are looked at
/// together.
#[inline(always)]
pub fn count_zeros<W: Word>(pa: PhysAddr, count: usize, load: impl Fn(usize) -> W) -> usize {
    const GROUP: usize = 32;
    let singly = |i: usize, end: usize| (i..end).take_while(|i| load(*i) == W::ZERO).count();
    let number = (pa.as_u64() / W::BYTES) as usize;
    let before_group = (number.wrapping_neg() % GROUP).min(count);
    let mut zeros = singly(0, before_group);
    if zeros < before_group {
        return zeros;
    }
    let union = |i| (0..GROUP).fold(W::ZERO, |bits, n| bits | load(i + n));
    while zeros + GROUP <= count && union(zeros) == W::ZERO {
        zeros += GROUP;
    }
    zeros + singly(zeros, count)
}

/// The kind of an access to memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessKind {
    /// Reading data.
    Read,
    /// Writing data.
    Write,
    /// Fetching an instruction.
    Fetch,
}

/// Why a probed access did not happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The address that the processor reported (CR2, stval).
    pub va: VirtAddr,
    /// Whether the page was present: permissions forbade the access, or a reserved bit was set.
    pub present: bool,
    /// Whether the access was a write.
    pub write: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = if self.write { "write" } else { "read" };
        let page = if self.present { "a present" } else { "an absent" };
        write!(f, "a fault: {access} of {page} page at {}", self.va)
    }
}

/// How many processors there can be. One runs as yet.
pub const NCPU: usize = 1;

/// A processor, by its number, which is below [`NCPU`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cpu(usize);

impl Cpu {
    /// The processor that boots.
    pub const BOOT: Self = Self(0);

    /// Its number.
    pub(crate) const fn number(self) -> usize {
        self.0
    }
}

/// A set of processors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuSet(u32);

impl CpuSet {
    /// All processors.
    pub const ALL: Self = Self((1 << NCPU) - 1);

    /// The processors for which `contains` is true, of a value for each.
    pub(crate) fn of<T>(values: &[T; NCPU], contains: impl Fn(&T) -> bool) -> Self {
        let bits = values.iter().enumerate();
        Self(bits.fold(0, |set, (number, value)| set | u32::from(contains(value)) << number))
    }

    /// Whether no processor is in it.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `cpu` is in it.
    #[must_use]
    #[inline]
    pub const fn contains(self, cpu: Cpu) -> bool {
        self.0 & 1 << cpu.0 != 0
    }
}

/// The processors, as far as the memory system needs them.
pub trait Machine: PhysMem {
    /// The memory map of this machine.
    type Layout: MemLayout;
    /// The page-table format that this processor walks.
    type Format: Format;

    /// The levels, as a bit mask like [`Format::LEAF_LEVELS`], at which this very processor
    /// accepts a leaf. (1 GB pages are optional on x86-64, 4 MB pages on i386.)
    fn leaf_levels(&self) -> u32;

    /// The devices that the kernel needs from the start, in whole pages. `mem_init` maps them from MMIOBASE
    /// on, one behind the other. None where devices are reached in another way.
    #[inline]
    fn devices(&self) -> &'static [PhysRange] {
        &[]
    }

    /// The processor that this call runs on.
    #[inline]
    fn cpu(&self) -> Cpu {
        Cpu::BOOT
    }

    /// Makes `pgdir` the page directory in use on this processor and drops all translations of the
    /// old one (JOS's `lcr3`). All code, stacks and data in use must be mapped in it.
    fn lcr3(&mut self, pgdir: PhysAddr);

    /// Turns on what makes permissions hold in the kernel too: write protection (CR0.WP) and,
    /// where the processor has them, no-execute, global pages, SMEP, SMAP and UMIP.
    fn protect_kernel(&mut self);

    /// Drops the translation of the page at `va` on each of `cpus` (`invlpg`, `sfence.vma` with an
    /// address). The processor may keep the tables above it in its caches, as it does on RISC-V.
    fn invlpg(&mut self, cpus: CpuSet, va: VirtAddr);

    /// Drops all translations on each of `cpus`, global ones too, and all that they keep of tables.
    fn flush_tlb(&mut self, cpus: CpuSet);

    /// Is told that entries have become valid that were not: that of the page of the smallest size at
    /// `page`, or, without one, any. If a processor may remember that an entry is not valid, the one
    /// that runs this forgets it: `sfence.vma`, with an address or without (RISC-V privileged
    /// specification, 12.2.1, 12.3.2; with Svvptc nothing need be done). Another processor may fault
    /// once, and finds the page then. x86 remembers no such entry (Intel SDM vol. 3A, 4.10.2.3).
    ///
    /// A flush tells as much, and so does [`lcr3`](Self::lcr3).
    ///
    /// This library executes nothing that it writes. Where code that was written is seen only after a fence of
    /// its own (FENCE.I on RISC-V), the machine executes that fence on each way to user mode.
    #[inline(always)]
    fn made_valid(&mut self, _page: Option<VirtAddr>) {}

    /// Reads the 8 bytes at `va` as the kernel does, through the page tables in use.
    ///
    /// # Errors
    ///
    /// The fault that the processor raised.
    fn probe_load(&mut self, va: VirtAddr) -> Result<u64, Fault>;

    /// Writes the 8 bytes at `va` as the kernel does, through the page tables in use.
    ///
    /// # Errors
    ///
    /// The fault that the processor raised.
    fn probe_store(&mut self, va: VirtAddr, value: u64) -> Result<(), Fault>;

    /// The stack pointer in use.
    fn stack_pointer(&self) -> VirtAddr;

    /// Is told where JOS's globals are, for a debugger to find them. A machine need do nothing.
    fn tell_debugger(&mut self, _globals: &Globals) {}

    /// Prints on the console; text comes with its own line ends.
    fn print(&mut self, text: fmt::Arguments<'_>);
}

#[cfg(all(test, not(miri)))]
mod tests;
