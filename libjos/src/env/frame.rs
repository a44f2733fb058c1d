//! [`TrapFrame`]: a program's registers, as far as this room knows them. Each machine has its own.

use core::{fmt, ptr, slice};

use super::abi::UTrapframe;
use crate::mem::addr::VirtAddr;
use crate::paging::word::Word;

/// The registers of a program, as the kernel keeps them while the program does not run: the first field of
/// [`Env`](super::abi::Env).
///
/// Its `Display` prints JOS's lines after `TRAP frame at`, each with its line end: `  edi  0x00000000` and so
/// on.
///
/// # Safety
///
/// Every pattern of bits is a value, since frames lie in RAM; and a frame has no destructor, so it is `Copy`.
pub unsafe trait TrapFrame: Copy + fmt::Display + 'static {
    /// The machine's word.
    type Word: Word;

    /// The number by which ELF files name the machine (`e_machine`).
    const ELF_MACHINE: u16;

    /// The frame that the program's own handler of page faults is given: an
    /// [`abi::UTrapframe`](super::abi::UTrapframe).
    type UTrapframe: UserFrame<Self::Word>;

    /// A frame that begins in user mode at `entry`, with its stack at `stack`, interrupts on, and all other
    /// registers 0. Both addresses are below UTOP, or UTOP.
    fn user(entry: VirtAddr, stack: VirtAddr) -> Self;

    /// The number of the call, if the trap is one.
    fn number(&self) -> u64;

    /// Argument `n` of the call, from 0 to 4.
    fn argument(&self, n: usize) -> u64;

    /// Sets the result of the call, which may be negative.
    fn set_result(&mut self, result: i64);

    /// Makes the program make its call once more when it goes on. Where the number has the register of the result,
    /// [`set_result`](Self::set_result) changes it.
    fn call_again(&mut self);

    /// The program counter.
    fn pc(&self) -> VirtAddr;

    /// The stack pointer.
    fn sp(&self) -> VirtAddr;

    /// Makes the program go on at `pc`, with its stack at `sp`. The kernel has checked that the program may
    /// read the one and write below the other: both are addresses that the processor can form.
    fn redirect(&mut self, pc: VirtAddr, sp: VirtAddr);

    /// The frame for the program's own handler of its page fault at `fault_va`.
    fn utrapframe(&self, fault_va: VirtAddr) -> Self::UTrapframe;
}

/// A frame as a program sees it.
pub trait UserFrame<W> {
    /// Its words, in the order of their addresses.
    fn words(&self) -> &[W];

    /// Their bytes.
    fn bytes(&self) -> &[u8];
}

impl<const N: usize, W: Word> UserFrame<W> for UTrapframe<N, W> {
    #[inline(always)]
    fn words(&self) -> &[W] {
        const { assert!(size_of::<Self>() == (N + 5) * size_of::<W>()) };
        // SAFETY: a value's own words; it has nothing else.
        unsafe { slice::from_raw_parts(ptr::from_ref(self).cast(), N + 5) }
    }

    fn bytes(&self) -> &[u8] {
        let words = self.words();
        // SAFETY: the words' own bytes.
        unsafe { slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
    }
}
