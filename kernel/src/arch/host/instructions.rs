//! The instructions that the code of all PCs uses, as the simulated processor has them.

pub(in crate::arch) use super::cpu::{Msr, cpuid};
pub(in crate::arch) use super::ports::Port;
