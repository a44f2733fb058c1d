//! The record that a debugger reads.

use libjos::app::process::ExitCode;
use libjos::machine::Machine;
use libjos::mem::addr::PhysAddr;
use libjos::mem::pages::PageAllocator;

use super::*;
use crate::arch::host::process::alone;
use crate::machine::Hardware;
use crate::pmap;
use crate::rig;

#[test]
fn the_record() {
    alone(|| {
        let number = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        let unmapped = Layout::UPAGES as usize;
        assert_eq!((number(&GLOBALS.npages), number(&GLOBALS.kern_pgdir)), (0, 0));
        let early = pages::Globals { npages: 5, kern_pgdir: PhysAddr::new(0x3000), pages: None };
        Hardware::new().tell_debugger(&early);
        assert_eq!((number(&GLOBALS.npages), number(&GLOBALS.kern_pgdir)), (5, 0x3000));
        assert_eq!(GLOBALS.pages.load(Ordering::Relaxed).addr(), unmapped);
        assert_eq!(GLOBALS.page_free_list.load(Ordering::Relaxed).addr(), unmapped);
        assert_eq!(GLOBALS.nfree.load(Ordering::Relaxed).addr(), unmapped);
        rig::boot("", || {
            let pmap = pmap::lock();
            let at = pmap.globals().pages.expect("they are there");
            assert_eq!(GLOBALS.npages.load(Ordering::Relaxed), pmap.pages().npages());
            assert_eq!(
                GLOBALS.kern_pgdir.load(Ordering::Relaxed),
                pmap.kern_root().as_u64() as usize
            );
            assert_eq!(GLOBALS.pages.load(Ordering::Relaxed).cast_const(), at.array);
            assert_eq!(
                GLOBALS.page_free_list.load(Ordering::Relaxed).cast_const(),
                at.page_free_list
            );
            assert_eq!(GLOBALS.nfree.load(Ordering::Relaxed).cast_const(), at.nfree);
            // SAFETY: the count lies in the memory system, which is locked here.
            assert_eq!(unsafe { at.nfree.read() }, pmap.pages().nfree());
            ExitCode::SUCCESS
        })
    })
    .assert_ended(33);
}
