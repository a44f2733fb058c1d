//! What can be wrong with a command; whatever it is, nothing has changed.

use core::fmt;

use super::expression::ExpressionError;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::PageError;
use crate::paging::pgdir::MapError;

/// What can be wrong with a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandError<'w> {
    /// A word is missing.
    Missing,
    /// A word behind the last one that the command takes.
    Surplus(&'w str),
    /// A word is none of those that may stand there.
    BadWord {
        /// The word.
        word: &'w str,
        /// What may stand there.
        wanted: &'static str,
    },
    /// More words than any command takes.
    TooManyWords,
    /// There is no such command.
    UnknownCommand(&'w str),
    /// A word is no number.
    Expression(ExpressionError<'w>),
    /// The reader has seen enough.
    Stopped,
    /// The range ends before it begins.
    Backward {
        /// Where it begins.
        first: u64,
        /// Where it ends.
        last: u64,
    },
    /// The range goes on beyond the last address.
    Wraps {
        /// Where it begins.
        first: u64,
        /// Bytes.
        size: u64,
    },
    /// The address is in the kernel's part.
    KernelPart {
        /// The address.
        va: VirtAddr,
    },
    /// No page of RAM is there.
    NoPage {
        /// The address.
        pa: PhysAddr,
    },
    /// The page was not given out by `alloc`.
    NotHeld {
        /// The page.
        pa: PhysAddr,
    },
    /// `alloc` can give out no more.
    TooManyHeld {
        /// The most at a time.
        most: usize,
        /// How many more it can give out now.
        room: usize,
    },
    /// There are not so many free pages.
    OutOfMemory {
        /// Pages asked for.
        asked: u64,
        /// Pages that are free.
        free: usize,
    },
    /// The permission cannot be taken away on this machine.
    AlwaysGranted {
        /// Its letter.
        letter: char,
    },
    /// The checks want the application's part empty.
    InTheWay {
        /// What is mapped.
        va: VirtAddr,
    },
    /// What the memory system said.
    Map(MapError),
    /// What the page allocator said.
    Page(PageError),
}

impl CommandError<'_> {
    /// Whether the words are at fault, so that the command's usage helps.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Missing
                | Self::Surplus(_)
                | Self::BadWord { .. }
                | Self::Expression(_)
                | Self::Backward { .. }
                | Self::Wraps { .. }
        )
    }
}

impl fmt::Display for CommandError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Missing => f.write_str("something is missing"),
            Self::Surplus(word) => write!(f, "\"{word}\" is one word too many"),
            Self::BadWord { word, wanted } => write!(f, "\"{word}\" is not {wanted}"),
            // One of them names the command.
            Self::TooManyWords => write!(f, "Too many arguments (max {})", super::MAXARGS - 1),
            Self::UnknownCommand(name) => write!(f, "Unknown command '{name}'"),
            Self::Expression(error) => error.fmt(f),
            Self::Stopped => f.write_str("stopped"),
            Self::Backward { first, last } => {
                write!(f, "the range ends before it begins: {first:#x}, {last:#x}")
            }
            Self::Wraps { first, size } => {
                write!(f, "{size:#x} bytes at {first:#x} go beyond the last address")
            }
            Self::KernelPart { va } => {
                write!(f, "{va} is the kernel's (UTOP and above); with -f, at your own risk")
            }
            Self::NoPage { pa } => write!(f, "{pa} is in no page of RAM that `pages` describes"),
            Self::NotHeld { pa } => {
                write!(f, "page {pa} is not one of alloc's; with -f, at your own risk")
            }
            Self::TooManyHeld { most, room } => {
                write!(f, "alloc gives out {most} pages at most at a time, so {room} more now")
            }
            Self::OutOfMemory { asked, free } => {
                write!(f, "{asked} pages asked for, {free} are free")
            }
            Self::AlwaysGranted { letter } => {
                write!(f, "this processor cannot withhold '{letter}' from a mapped page")
            }
            Self::InTheWay { va } => {
                write!(f, "{va} is mapped, and check_kern_pgdir would panic: remove it, or use -f")
            }
            Self::Map(error) => error.fmt(f),
            Self::Page(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for CommandError<'_> {}

impl<'w> From<ExpressionError<'w>> for CommandError<'w> {
    fn from(error: ExpressionError<'w>) -> Self {
        Self::Expression(error)
    }
}

impl From<MapError> for CommandError<'_> {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

impl From<PageError> for CommandError<'_> {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

/// A writer fails only where the reader wants no more.
impl From<fmt::Error> for CommandError<'_> {
    fn from(_: fmt::Error) -> Self {
        Self::Stopped
    }
}
