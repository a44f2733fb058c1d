//! [`Values`]: the control registers with their values, for display. Each machine's `control.rs` reads them.

use core::fmt;

use monitor::processor::Register;

/// Hexadecimal digits of a register.
pub(super) const DIGITS: usize = 2 * size_of::<usize>();

/// `N` registers with their values, in the order of display. A name takes at least `WIDTH` columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<const N: usize, const WIDTH: usize>(pub [(&'static Register, u64); N]);

impl<const N: usize, const WIDTH: usize> Values<N, WIDTH> {
    /// Puts `value` in the place of that of `register`: a trap's, where later traps have left theirs.
    #[must_use]
    pub(in crate::arch) fn with(mut self, register: &Register, value: u64) -> Self {
        for (its, its_value) in &mut self.0 {
            if its.name == register.name {
                *its_value = value;
            }
        }
        self
    }
}

/// Writes general registers with their names and values, three to a line.
pub(super) fn write_general(
    f: &mut fmt::Formatter<'_>,
    registers: impl IntoIterator<Item = (&'static str, u64)>,
) -> fmt::Result {
    for (i, (name, value)) in registers.into_iter().enumerate() {
        let end = if i > 0 && i.is_multiple_of(3) { "\n" } else { "" };
        write!(f, "{end}  {name:<6} {value:0DIGITS$x}")?;
    }
    Ok(())
}

/// A line for each register, with the names of the bits that are set.
impl<const N: usize, const WIDTH: usize> fmt::Display for Values<N, WIDTH> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (register, value)) in self.0.into_iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            let name = register.name;
            write!(f, "{end}  {name:<WIDTH$} {value:0DIGITS$x}  {}", register.names(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use monitor::processor::{CR0, CR2};

    use super::*;

    #[test]
    fn registers_have_their_own_values_or_those_of_a_trap() {
        let values = Values::<2, 6>([(&CR0, 1), (&CR2, 0x2000)]);
        let digits = 2 * size_of::<usize>();
        let shown =
            |cr2| format!("  CR0    {:0digits$x}  PE\n  CR2    {cr2:0digits$x}  VA={cr2:#x}", 1);
        assert_eq!(values.to_string(), shown(0x2000));
        assert_eq!(values.with(&CR2, 0x3000).to_string(), shown(0x3000));
    }
}
