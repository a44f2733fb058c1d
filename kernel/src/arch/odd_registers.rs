//! The contents of two registers and an address in the faults of `test=registers` and `test=registers-handled`.

use layout::MemLayout;
use libjos::app::area::area_addresses;

use crate::arch::Layout;

/// The middle of the kernel's stack, and not aligned: a fault can come with any stack pointer.
pub(in crate::arch) const STACK: u64 = Layout::KSTACKTOP - Layout::KSTKSIZE / 2 + 8;
/// The address of the first area.
pub(in crate::arch) const AREAS_START: u64 = area_addresses::<Layout>().start;
/// The flags that do not affect the kernel: ID, OF, DF, SF, ZF, AF, PF, the constant 1, and CF.
pub(in crate::arch) const FLAGS: u64 = 0x20_0CD7;
