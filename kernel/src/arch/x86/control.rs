//! The current values of the control registers, for display.

use core::fmt;

use libjos::monitor::processor::{CR2, Register};

use super::DIGITS;

/// The values of a machine's `N` control registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers<const N: usize>(pub(in crate::arch) [(&'static Register, u64); N]);

impl<const N: usize> Registers<N> {
    /// All registers with their values.
    #[must_use]
    pub(crate) fn all(&self) -> [(&'static Register, u64); N] {
        self.0
    }

    /// Puts `cr2`, the address of an earlier page fault, in place of the latest one.
    pub(in crate::arch) fn set_cr2(&mut self, cr2: u64) {
        for (register, value) in &mut self.0 {
            if register.name == CR2.name {
                *value = cr2;
            }
        }
    }
}

/// A line for each register, with the names of the bits that are set.
impl<const N: usize> fmt::Display for Registers<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (register, value)) in self.all().into_iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}  {:<6} {value:0DIGITS$x}  {}", register.name, register.names(value))?;
        }
        Ok(())
    }
}
