//! [`CommandError`]: why a command was refused. Nothing has changed then.

use core::fmt;

use super::expression::ExpressionError;
use libjos::env::abi::EnvId;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::mem::pages::PageError;
use libjos::paging::error::MapError;

/// Why a command was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each variant says what its fields are")]
pub enum CommandError<'w> {
    /// A word is missing.
    Missing,
    /// This word is behind the last one that the command takes.
    Surplus(&'w str),
    /// The word is none of those that are wanted there.
    BadWord { word: &'w str, wanted: &'static str },
    /// There are more than `most` words behind the command's name.
    TooManyWords { most: usize },
    /// No command has this name.
    UnknownCommand(&'w str),
    /// A word is not a number.
    Expression(ExpressionError<'w>),
    /// The reader has seen enough.
    Stopped,
    /// The range of addresses ends before it begins.
    Backward { first: u64, last: u64 },
    /// The range of `size` bytes goes on beyond the last address.
    Wraps { first: u64, size: u64 },
    /// The address is in the kernel's part.
    KernelPart { va: VirtAddr },
    /// The application has a page at the address.
    ApplicationsPage { va: VirtAddr },
    /// There is no such environment, or it has ended.
    NoEnv { id: EnvId, has_ended: bool },
    /// No page of RAM is at the address.
    NoPage { pa: PhysAddr },
    /// The page was not given out by `alloc`.
    NotHeld { pa: PhysAddr },
    /// `alloc` gives out `most` pages at a time, and has `room` for so many more.
    TooManyHeld { most: usize, room: usize },
    /// There are fewer free pages than were asked for.
    OutOfMemory { asked: u64, free: usize },
    /// The permission of this letter cannot be taken away on this machine.
    AlwaysGranted { letter: char },
    /// The application's part, which the checks want empty, has a page mapped at the address.
    InTheWay { va: VirtAddr },
    /// The page tables cannot be changed so.
    Map(MapError),
    /// The page allocator refuses.
    Page(PageError),
}

impl CommandError<'_> {
    /// Whether the words are wrong, so that it helps to print the command's usage.
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
            Self::TooManyWords { most } => write!(f, "Too many arguments (max {most})"),
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
            Self::ApplicationsPage { va } => {
                write!(f, "{va} is in the application's heap or areas; with -f, at your own risk")
            }
            Self::NoEnv { id, has_ended: true } => write!(f, "environment {id} has ended"),
            Self::NoEnv { id, .. } => write!(f, "there is no environment {id}; `envs` lists them"),
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

/// A writer fails only if the reader wants no more.
impl From<fmt::Error> for CommandError<'_> {
    fn from(_: fmt::Error) -> Self {
        Self::Stopped
    }
}
