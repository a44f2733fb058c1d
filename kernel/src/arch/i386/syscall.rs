//! System calls by an instruction of their own: programs of this processor have INT alone.

/// Need do nothing.
pub(in crate::arch) fn init() {}
