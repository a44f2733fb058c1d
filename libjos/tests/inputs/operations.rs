//! Bytes as a sequence of operations on one of the formats, against the plain model.
//!
//! Addresses, frames and permissions are as few as in `strategies`; which operation follows which
//! is left to the fuzzer.

use arbitrary::{Result, Unstructured};
use layout::{Jos32, Jos64, JosSv39, MemLayout};
use libjos::format::{Format, Perm};
use libjos::i386::I386;
use libjos::riscv::{Sv39, Sv48};
use libjos::sim::mmu::Mmu;
use libjos::x86_64::{La57, X86_64};

use crate::layouts::{Jos57, JosSv48};
use crate::plain::ops::{Length, Op, Place, Span, Step, Target};
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
    for _ in 0..MAX_STEPS {
        match step(&mut input) {
            Ok(step) if !input.is_empty() => rig.step(&step),
            _ => break,
        }
    }
    rig.finish();
}

fn step(input: &mut Unstructured<'_>) -> Result<Step> {
    Ok(Step { op: op(input)?, touch: input.arbitrary()? })
}

fn op(input: &mut Unstructured<'_>) -> Result<Op> {
    let kind = input.int_in_range(0..=12)?;
    let space = input.int_in_range(0..=1)?;
    Ok(match kind {
        0 => Op::Alloc,
        1 => Op::Free { frame: input.int_in_range(0..=19)? },
        2 => {
            let frame = input.int_in_range(0..=15)?;
            Op::Insert { space, place: place(input)?, frame, perm: perm(input)? }
        }
        3 => Op::Remove { space, place: place(input)? },
        4 => Op::Map {
            space,
            span: span(input)?,
            target: target(input)?,
            perm: perm(input)?,
            largest: input.arbitrary()?,
        },
        5 => Op::Unmap { space, span: span(input)? },
        6 => Op::Protect { space, span: span(input)?, perm: perm(input)? },
        7 => Op::Merge { space, place: place(input)?, level: input.int_in_range(0..=3)? },
        8 => Op::Prune { space, place: place(input)? },
        9 => Op::CowFault { space, place: place(input)? },
        10 => Op::Switch { space },
        11 => Op::Drain { leave: input.int_in_range(0..=5)? },
        _ => Op::FreeUnused,
    })
}

fn place(input: &mut Unstructured<'_>) -> Result<Place> {
    Ok(match input.int_in_range(0..=6)? {
        0 => Place::Low(input.int_in_range(-2..=3)?),
        1 => Place::Large(input.int_in_range(1..=3)?),
        2 => Place::Far(input.int_in_range(-2..=1)?),
        3 => Place::Top(input.int_in_range(-3..=-1)?),
        4 => Place::Mmio(input.int_in_range(0..=3)?),
        5 => Place::Mmio(input.int_in_range(510..=513)?),
        _ => Place::Beyond(input.int_in_range(0..=1)?),
    })
}

fn span(input: &mut Unstructured<'_>) -> Result<Span> {
    let place = place(input)?;
    let length = match input.int_in_range(0..=3)? {
        0 => Length::Pages(input.int_in_range(0..=5)?),
        1 => Length::Pages(input.int_in_range(33..=39)?),
        2 => Length::Large(input.int_in_range(1..=2)?, input.int_in_range(0..=1)?),
        _ => Length::Huge,
    };
    let skew = *input.choose(&[0, 0, 0, 0, 0, 0, 1, 8])?;
    Ok(Span { place, length, skew })
}

fn target(input: &mut Unstructured<'_>) -> Result<Target> {
    Ok(match input.int_in_range(0..=4)? {
        0 => Target::Pool(input.int_in_range(0..=15)?),
        1 => Target::Held(input.int_in_range(0..=2)?),
        2 => Target::Device(input.int_in_range(0..=2)?),
        3 => Target::HugeDevice(input.int_in_range(0..=2)?),
        _ => Target::Last,
    })
}

fn perm(input: &mut Unstructured<'_>) -> Result<Perm> {
    let perms =
        [Perm::KR, Perm::KRW, Perm::UR, Perm::URW, Perm::UR | Perm::X, Perm::UR | Perm::COW];
    Ok(*input.choose(&perms)?)
}
