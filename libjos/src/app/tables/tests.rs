//! Tests of how an entry is read.

use super::*;
use crate::paging::format::i386::I386;
use crate::paging::format::x86_64::X86_64;
use layout::{Jos32, Jos64};

#[test]
fn an_entry_is_all_that_is_read_or_half_of_it() {
    const BYTES: u64 = 0x8765_4321_0fed_cba9;
    let whole = Tables::of::<Jos64, X86_64>();
    assert_eq!(whole.entry_in(BYTES, VirtAddr::new(0x1000)), BYTES);
    let half = Tables::of::<Jos32, I386>();
    assert_eq!(half.entry_in(BYTES, VirtAddr::new(0x1000)), 0x0fed_cba9);
    assert_eq!(half.entry_in(BYTES, VirtAddr::new(0x1004)), 0x8765_4321);
}
