//! A trap that has only a cause.

use core::fmt;

use crate::trap::cause::Cause;

/// A trap that has only a cause.
#[derive(Debug)]
pub(crate) struct Trap<'a>(pub(crate) &'a Cause);

impl Trap<'_> {
    pub(crate) fn cause(&self) -> Cause {
        *self.0
    }

    pub(crate) fn instruction(&self) -> u64 {
        0
    }

    pub(crate) fn frame_pointer(&self) -> u64 {
        0
    }

    pub(crate) fn name(&self) -> &'static str {
        "trap"
    }

    pub(crate) fn write_code(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated")
    }

    pub(crate) fn write_detail(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    pub(crate) fn write_registers(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    pub(crate) fn write_records(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

pub(crate) fn init(_handler: fn(&mut Trap<'_>)) {}
