//! A program's next operation, as bytes say it: few addresses, few environments, and every kind of mistake.

use arbitrary::{Result, Unstructured};
use layout::{MemLayout, PGSIZE};

/// Something that the environment that runs does, or that happens to it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Load {
        va: Va,
    },
    Store {
        va: Va,
        value: u8,
    },
    Call {
        number: u8,
        arguments: [Argument; 5],
    },
    /// The stack pointer is moved.
    Stack {
        va: Va,
        offset: u16,
    },
    /// It gets itself a handler of page faults and a stack for it.
    Handler,
    /// It makes a child that can run.
    Child,
    Timer,
    Interrupt,
    Breakpoint,
    Exception,
}

/// An address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Va {
    Page(u8),
    Exception,
    Text,
    Stack,
    Odd(u8),
}

/// An argument of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument {
    Number(u64),
    Va(Va),
    /// The id of the environment in this slot; 0 for the caller.
    Id {
        slot: u8,
        stale: bool,
    },
    /// The id of an environment that waits for a message, if there is one.
    Receiver,
}

impl Va {
    pub(crate) fn of<L: MemLayout>(self) -> u64 {
        let odd = [
            0,
            1,
            PGSIZE - 8,
            0x1000_0004,
            L::UTOP - PGSIZE - 8,
            L::UTOP - 8,
            L::UTOP,
            L::UENVS,
            L::UPAGES,
            L::UVPT,
            L::ULIM,
            L::KERNBASE,
            L::VA_LAST - 7,
        ];
        match self {
            Self::Page(n) => 0x1000_0000 + u64::from(n) * PGSIZE,
            Self::Exception => L::UXSTACKTOP - PGSIZE,
            Self::Text => 0x80_0000,
            Self::Stack => L::USTACKTOP - PGSIZE,
            Self::Odd(n) => odd[usize::from(n) % odd.len()],
        }
    }
}

/// The permissions that calls ask for, right and wrong.
const PERMS: [u64; 10] = [5, 7, 5, 7, 0x805, 0x407, 0, 3, 0x1007, 0xD];
const STATUSES: [u64; 8] = [2, 4, 2, 4, 2, 0, 3, 5];
/// An address where no page can be: UTOP.
const NOWHERE: Va = Va::Odd(6);
/// The numbers of calls, the more often those that much depends on.
const CALLS: [u8; 20] = [2, 3, 4, 4, 4, 4, 5, 5, 6, 7, 8, 8, 9, 10, 10, 11, 11, 12, 12, 13];

/// The bytes that say it.
pub(crate) struct Input<'a>(pub(crate) Unstructured<'a>);

impl Input<'_> {
    pub(crate) fn op(&mut self) -> Result<Op> {
        Ok(match self.0.int_in_range(0..=15)? {
            0 | 1 => Op::Load { va: self.va()? },
            2..=4 => Op::Store { va: self.va()?, value: self.0.arbitrary()? },
            5 => match self.0.int_in_range(0..=2)? {
                0 => Op::Stack { va: self.va()?, offset: self.0.arbitrary()? },
                1 => Op::Handler,
                _ => Op::Child,
            },
            6 => Op::Timer,
            7 => Op::Interrupt,
            8 => match self.0.int_in_range(0..=3)? {
                0 => Op::Exception,
                _ => Op::Breakpoint,
            },
            _ => self.call()?,
        })
    }

    fn call(&mut self) -> Result<Op> {
        let zero = Argument::Number(0);
        let number = *self.0.choose(&CALLS)?;
        let mut arguments = [zero; 5];
        let (va, id): (&[usize], &[usize]) = match number {
            3 => (&[], &[0]),
            4 => (&[1], &[0]),
            5 => (&[1, 3], &[0, 2]),
            6 => (&[1], &[0]),
            8 => (&[], &[0]),
            9 => (&[1], &[0]),
            11 => (&[2], &[]),
            12 => (&[0], &[]),
            _ => (&[], &[]),
        };
        for n in va {
            arguments[*n] = Argument::Va(self.va()?);
        }
        for n in id {
            arguments[*n] = self.id()?;
        }
        let perm = [(4, 2), (5, 4), (11, 3)].iter().find(|(call, _)| *call == number);
        if let Some((_, n)) = perm {
            arguments[*n] = Argument::Number(*self.0.choose(&PERMS)?);
        }
        match number {
            8 => arguments[1] = Argument::Number(*self.0.choose(&STATUSES)?),
            11 => {
                let to_receiver = self.0.ratio(3, 4)?;
                arguments[0] = if to_receiver { Argument::Receiver } else { self.id()? };
                arguments[1] = Argument::Number(self.0.int_in_range(0..=u64::from(u32::MAX))?);
            }
            // Half of those that wait want no page.
            12 if self.0.arbitrary()? => arguments[0] = Argument::Va(NOWHERE),
            _ => {}
        }
        Ok(Op::Call { number, arguments })
    }

    fn va(&mut self) -> Result<Va> {
        Ok(match self.0.int_in_range(0..=15)? {
            0..=8 => Va::Page(self.0.int_in_range(0..=2)?),
            9 | 10 => Va::Exception,
            11 => Va::Text,
            12 => Va::Stack,
            _ => Va::Odd(self.0.arbitrary()?),
        })
    }

    fn id(&mut self) -> Result<Argument> {
        let slot = self.0.int_in_range(0..=7)?;
        // The caller, most of the time.
        Ok(match slot {
            0..=4 => Argument::Number(0),
            _ => Argument::Id { slot: slot - 5, stale: self.0.ratio(1, 8)? },
        })
    }
}
