//! [`Word`]: the integer that one page-table entry is, 4 or 8 bytes, read and written in one access.
//!
//! The accesses are atomics: never torn, doubled or left out by the compiler, while processors
//! set accessed and dirty bits. Loads are relaxed, and stores release what was stored before them,
//! so that a processor that walks to a table finds it filled. On x86-64 both are plain moves, and an
//! exchange is a `lock cmpxchg`.

use core::fmt;
use core::ops::{BitAnd, BitOr, BitXor, Not};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

mod sealed {
    /// Keeps [`Word`](super::Word) to integers, for which every pattern of bits is a value.
    pub trait Integer {}
    impl Integer for u32 {}
    impl Integer for u64 {}
}

/// The integer that one page-table entry is: `u32` or `u64`, and nothing else, so that any
/// memory may be read as a word.
pub trait Word:
    sealed::Integer
    + Copy
    + Eq
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
    + fmt::Debug
    + fmt::LowerHex
    + 'static
{
    /// Bytes of the word.
    const BYTES: u64;

    /// All bits clear: an absent entry in every format.
    const ZERO: Self;

    /// Widens.
    fn to_u64(self) -> u64;

    /// Narrows.
    ///
    /// # Panics
    ///
    /// If the value does not fit.
    fn from_u64(value: u64) -> Self;

    /// Adds, modulo the word's size.
    #[must_use]
    fn wrapping_add(self, other: Self) -> Self;

    /// Subtracts, modulo the word's size.
    #[must_use]
    fn wrapping_sub(self, other: Self) -> Self;

    /// Reads the word that `ptr` points at, in one access.
    ///
    /// # Safety
    ///
    /// `ptr` is aligned and valid for reads and writes, and every access to it that happens at
    /// the same time is atomic and of the same size.
    unsafe fn load(ptr: *mut Self) -> Self;

    /// Writes the word that `ptr` points at, in one access, and after all writes before this one.
    ///
    /// # Safety
    ///
    /// As for [`load`](Self::load).
    unsafe fn store(ptr: *mut Self, word: Self);

    /// Writes the word that `ptr` points at, in one access, in no order with other writes.
    ///
    /// # Safety
    ///
    /// As for [`load`](Self::load).
    unsafe fn store_relaxed(ptr: *mut Self, word: Self);

    /// Writes `new` where `ptr` points if `current` is there, in one access, and after all writes
    /// before this one.
    ///
    /// # Errors
    ///
    /// The word that is there instead.
    ///
    /// # Safety
    ///
    /// As for [`load`](Self::load).
    unsafe fn compare_exchange(ptr: *mut Self, current: Self, new: Self) -> Result<(), Self>;
}

macro_rules! word {
    ($word:ty, $atomic:ty) => {
        impl Word for $word {
            const BYTES: u64 = size_of::<$word>() as u64;
            const ZERO: Self = 0;

            fn to_u64(self) -> u64 {
                u64::from(self)
            }

            #[inline]
            fn from_u64(value: u64) -> Self {
                match Self::try_from(value) {
                    Ok(word) => word,
                    Err(_) => panic!("{value:#x} does not fit in a page-table entry"),
                }
            }

            fn wrapping_add(self, other: Self) -> Self {
                <$word>::wrapping_add(self, other)
            }

            fn wrapping_sub(self, other: Self) -> Self {
                <$word>::wrapping_sub(self, other)
            }

            unsafe fn load(ptr: *mut Self) -> Self {
                // SAFETY: the caller gives what `from_ptr` asks: validity, alignment, and no
                // access at the same time that is not atomic.
                unsafe { <$atomic>::from_ptr(ptr) }.load(Ordering::Relaxed)
            }

            unsafe fn store(ptr: *mut Self, word: Self) {
                // SAFETY: as in `load`.
                unsafe { <$atomic>::from_ptr(ptr) }.store(word, Ordering::Release);
            }

            unsafe fn store_relaxed(ptr: *mut Self, word: Self) {
                // SAFETY: as in `load`.
                unsafe { <$atomic>::from_ptr(ptr) }.store(word, Ordering::Relaxed);
            }

            unsafe fn compare_exchange(
                ptr: *mut Self,
                current: Self,
                new: Self,
            ) -> Result<(), Self> {
                // SAFETY: as in `load`.
                let word = unsafe { <$atomic>::from_ptr(ptr) };
                word.compare_exchange(current, new, Ordering::Release, Ordering::Relaxed).map(drop)
            }
        }
    };
}

word!(u32, AtomicU32);
word!(u64, AtomicU64);
