//! Bytes as a sequence of operations on one of the formats, against the plain model.
//!
//! Addresses, frames and permissions are as few as in `strategies`; which operation follows which
//! is left to the fuzzer.
//!
//! A number is a byte modulo how many there are. The inputs in `fuzz/corpus` say operations and
//! places by the numbers themselves, so new ones go behind the others and change nothing of them.

use arbitrary::{Result, Unstructured};
use layout::{Jos32, Jos64, JosSv39, MemLayout, PGSIZE};
use libjos::paging::format::i386::I386;
use libjos::paging::format::riscv::{Sv39, Sv48};
use libjos::paging::format::x86_64::{La57, X86_64};
use libjos::paging::format::{Format, Perm};
use libjos::sim::mmu::Mmu;

use crate::layouts::{Jos57, JosSv48};
use crate::plain::ops::{Bytes, Length, Op, Place, Size, Span, Step, Target};
use crate::plain::rig::Rig;

/// Most operations of a sequence: what is not found by so many is not found by more of them.
const MAX_STEPS: usize = 48;

/// Does what `bytes` say. Whatever they are, it must not panic.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    match input.int_in_range(0..=4) {
        Ok(0) => follow::<Jos64, X86_64>(input),
        Ok(1) => follow::<Jos32, I386>(input),
        Ok(2) => follow::<JosSv39, Sv39>(input),
        Ok(3) => follow::<Jos57, La57>(input),
        _ => follow::<JosSv48, Sv48>(input),
    }
}

fn follow<L: MemLayout, F: Format + Mmu>(mut input: Unstructured<'_>) {
    // Without steps there is nothing to see.
    let Ok(large_pages) = input.ratio(7_u8, 8) else { return };
    let mut rig = Rig::<L, F>::new(large_pages);
    let span = Span { place: Place::Large(1), length: Length::Pages(1), skew: 0 };
    let mut input = Input { bytes: input, span };
    for _ in 0..MAX_STEPS {
        match input.step() {
            Ok(step) if !input.bytes.is_empty() => rig.step(&step),
            _ => break,
        }
    }
    rig.finish();
}

/// The bytes that are left, and the last range. The range comes up again half of the time, since a mapping
/// made at one place is seldom hit from another.
struct Input<'a> {
    bytes: Unstructured<'a>,
    span: Span,
}

impl Input<'_> {
    fn step(&mut self) -> Result<Step> {
        Ok(Step { op: self.op()?, touch: self.bytes.arbitrary()? })
    }

    fn op(&mut self) -> Result<Op> {
        let kind = self.bytes.int_in_range(0..=24)?;
        let space = self.bytes.int_in_range(0..=1)?;
        Ok(match kind {
            0 => Op::Alloc,
            1 => Op::Free { frame: self.bytes.int_in_range(0..=19)? },
            2 => {
                let frame = self.bytes.int_in_range(0..=15)?;
                Op::Insert { space, place: self.place()?, frame, perm: self.perm()? }
            }
            3 => Op::Remove { space, place: self.place()? },
            4 => Op::Map {
                space,
                span: self.span()?,
                target: self.target()?,
                perm: self.perm()?,
                largest: self.bytes.arbitrary()?,
            },
            5 => Op::Unmap { space, span: self.span()? },
            6 => Op::Protect { space, span: self.span()?, perm: self.perm()? },
            7 => Op::Merge { space, place: self.place()?, level: self.bytes.int_in_range(0..=3)? },
            8 => Op::Prune { space, place: self.place()? },
            9 => Op::CowFault { space, place: self.place()? },
            10 => Op::Switch { space },
            11 => Op::Drain { leave: self.bytes.int_in_range(0..=5)? },
            12 => Op::FreeUnused,
            13 => Op::Uvmfree { space },
            14 => {
                let (old, new) = (self.size()?, self.size()?);
                let xperm = self.one_of(&[Perm::W, Perm::W, Perm::empty(), Perm::X])?;
                Op::Uvmalloc { space, old, new, xperm }
            }
            15 => Op::Uvmdealloc { space, old: self.size()?, new: self.size()? },
            16 => {
                let pages = self.bytes.int_in_range(-4..=6)? * PGSIZE.cast_signed();
                let bytes = [0, 0, 0, 1, -1, 8, i64::MAX, i64::MIN];
                Op::Sbrk { space, n: pages.saturating_add(*self.bytes.choose(&bytes)?) }
            }
            17 => Op::Uvmcopy { from: space, size: self.size()? },
            18 => Op::Uvmcow { from: space, size: self.size()? },
            19 => Op::Copyin { space, bytes: self.some_bytes()? },
            20 => Op::Copyout { space, bytes: self.some_bytes()? },
            21 => Op::Clearpteu { space, place: self.place()? },
            22 => Op::Walk { space, place: self.place()?, create: self.bytes.arbitrary()? },
            23 => Op::AllocRun { order: self.bytes.int_in_range(0..=5)? },
            _ => Op::FreeRun {
                frame: self.bytes.int_in_range(0..=15)?,
                order: self.bytes.int_in_range(0..=3)?,
            },
        })
    }

    fn place(&mut self) -> Result<Place> {
        if self.bytes.arbitrary()? {
            return Ok(self.span.place);
        }
        Ok(match self.bytes.int_in_range(0..=8)? {
            0 => Place::Low(self.bytes.int_in_range(-2..=3)?),
            1 => Place::Large(self.bytes.int_in_range(1..=3)?),
            2 => Place::Far(self.bytes.int_in_range(-2..=1)?),
            3 => Place::Top(self.bytes.int_in_range(-3..=-1)?),
            4 => Place::Mmio(self.bytes.int_in_range(0..=3)?),
            5 => Place::Mmio(self.bytes.int_in_range(510..=513)?),
            6 => Place::Beyond(self.bytes.int_in_range(0..=1)?),
            7 => Place::Start(self.bytes.int_in_range(0..=5)?),
            _ => Place::Uvpt(self.bytes.int_in_range(0..=2)?),
        })
    }

    fn size(&mut self) -> Result<Size> {
        let place = self.place()?;
        Ok(Size { place, less: *self.bytes.choose(&[0, 0, 0, 0, 1, PGSIZE - 1])? })
    }

    fn some_bytes(&mut self) -> Result<Bytes> {
        let place = self.place()?;
        let offset = self.bytes.int_in_range(-12..=11)?;
        let len = self.bytes.int_in_range(0..=23)?;
        let pages = *self.bytes.choose(&[0, 0, 0, 0, 0, 0, 1, 2])?;
        Ok(Bytes { place, offset, len: len + pages * PGSIZE })
    }

    fn span(&mut self) -> Result<Span> {
        if self.bytes.arbitrary()? {
            return Ok(self.span);
        }
        let place = self.place()?;
        let length = match self.bytes.int_in_range(0..=3)? {
            0 => Length::Pages(self.bytes.int_in_range(0..=5)?),
            1 => Length::Pages(self.bytes.int_in_range(33..=39)?),
            2 => Length::Large(self.bytes.int_in_range(1..=2)?, self.bytes.int_in_range(0..=1)?),
            _ => Length::Huge,
        };
        let skew = *self.bytes.choose(&[0, 0, 0, 0, 0, 0, 1, 8])?;
        // A mistake is made once.
        self.span = Span { place, length, skew: 0 };
        Ok(Span { skew, ..self.span })
    }

    fn target(&mut self) -> Result<Target> {
        Ok(match self.bytes.int_in_range(0..=4)? {
            0 => Target::Pool(self.bytes.int_in_range(0..=15)?),
            1 => Target::Held(self.bytes.int_in_range(0..=2)?),
            2 => Target::Device(self.bytes.int_in_range(0..=2)?),
            3 => Target::HugeDevice(self.bytes.int_in_range(0..=2)?),
            _ => Target::Last,
        })
    }

    fn perm(&mut self) -> Result<Perm> {
        let perms =
            [Perm::KR, Perm::KRW, Perm::UR, Perm::URW, Perm::UR | Perm::X, Perm::UR | Perm::COW];
        self.one_of(&perms)
    }

    /// One of `perms`; by the highest bytes a global one, so that all others go on to mean what they
    /// did before there were such.
    fn one_of(&mut self, perms: &[Perm]) -> Result<Perm> {
        let byte: u8 = self.bytes.arbitrary()?;
        let global = if byte >= 252 { Perm::G } else { Perm::empty() };
        Ok(perms[usize::from(byte) % perms.len()] | global)
    }
}
