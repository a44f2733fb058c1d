//! The current values of the control registers, for display.

use core::fmt;

use super::DIGITS;
use crate::arch::control::ControlRegisters;

/// A line for each register, with the names of the bits that are set.
impl fmt::Display for ControlRegisters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (register, value)) in self.all().into_iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}  {:<6} {value:0DIGITS$x}  {}", register.name, register.names(value))?;
        }
        Ok(())
    }
}
