//! `check_page_installed_pgdir`: the proof that the processor does what the tables say.
//!
//! It reads and writes through the page tables in use, as no other check does, and runs on the
//! kernel's own stack.

use layout::{MemLayout, PGSIZE};

use crate::check::Checks;
use crate::check::answer::Answer;
use crate::machine::{Fault, Machine};
use crate::mem::addr::VirtAddr;
use crate::mem::pages::{ALLOC_ZERO, Frame, PageAllocator};
use crate::paging::format::{Geometry, Perm};

impl<M: Machine> Checks<'_, M> {
    /// Proves that `kern_pgdir` is in use: that writes through a mapping reach its frame, that a
    /// replaced or removed mapping is gone at once, that write protection binds the kernel, and
    /// that the stack in use is the one at KSTACKTOP. Needs two free pages, and those for their
    /// tables.
    ///
    /// # Panics
    ///
    /// If that does not hold, with the values that differ.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn check_page_installed_pgdir(&mut self) {
        let sp = self.vm.machine().stack_pointer().as_u64();
        let (kstack, kstacktop) = (M::Layout::KSTACK, M::Layout::KSTACKTOP);
        assert!(
            (kstack..=kstacktop).contains(&sp),
            "check_page_installed_pgdir: the stack in use, at {sp:#x}, \
             is not the kernel stack [{kstack:#x}, {kstacktop:#x})"
        );

        let needed = 2 + M::Format::ROOT as usize;
        if !self.has_pages_for("check_page_installed_pgdir", needed) {
            return;
        }
        let nfree = self.vm.pages().nfree();
        let va = VirtAddr::new(PGSIZE);
        let pp1 = self.alloc_filled(1);
        let pp2 = self.alloc_filled(2);

        self.insert_for_check(pp1, va, Perm::KRW);
        self.expect_load(va, Ok(1), "after page_insert");
        self.insert_for_check(pp2, va, Perm::KRW);
        self.expect_load(va, Ok(2), "after page_insert of another page (a stale TLB?)");
        let freed = self.vm.pages().info(pp1).is_free();
        assert!(freed, "check_page_installed_pgdir: the page that was replaced is not free");

        let stored = self.vm.machine_mut().probe_store(va, 3);
        assert!(stored.is_ok(), "check_page_installed_pgdir: write to {va}: {}", stored.words());
        let word = self.vm.machine().load::<u32>(self.vm.pages().page2pa(pp2));
        assert!(
            word == 3,
            "check_page_installed_pgdir: 3 was written to {va}, its frame has {word}"
        );

        // Read-only for the kernel too: CR0.WP on a PC.
        self.insert_for_check(pp2, va, Perm::KR);
        self.expect_load(va, Ok(3), "after its permissions changed");
        let stored = self.vm.machine_mut().probe_store(va, 4);
        let fault = Fault { va, present: true, write: true };
        assert!(
            stored == Err(fault),
            "check_page_installed_pgdir: the kernel's write to read-only {va} must fault, \
             but gave {}: is write protection off?",
            stored.words()
        );

        if let Err(error) = self.vm.page_remove(self.kern_pgdir, va) {
            panic!("check_page_installed_pgdir: page_remove of {va}: {error}");
        }
        let fault = Fault { va, present: false, write: false };
        self.expect_load(va, Err(fault), "after page_remove");

        self.vm.prune(self.kern_pgdir, va);
        let left = self.vm.pages().nfree();
        assert!(
            left == nfree,
            "check_page_installed_pgdir: {nfree} pages were free, {left} are now"
        );
        self.vm.machine_mut().print(format_args!("check_page_installed_pgdir() succeeded!\n"));
    }

    /// A new page that begins with `value`.
    fn alloc_filled(&mut self, value: u32) -> Frame {
        let frame = self.vm.page_alloc(ALLOC_ZERO);
        let frame = frame.expect("check_page_installed_pgdir: out of memory");
        self.vm.machine().store(self.vm.pages().page2pa(frame), value);
        frame
    }

    fn insert_for_check(&mut self, frame: Frame, va: VirtAddr, perm: Perm) {
        if let Err(error) = self.vm.page_insert(self.kern_pgdir, frame, va, perm) {
            panic!("check_page_installed_pgdir: page_insert at {va}: {error}");
        }
    }

    fn expect_load(&mut self, va: VirtAddr, expected: Result<u64, Fault>, when: &str) {
        let loaded = self.vm.machine_mut().probe_load(va);
        assert!(
            loaded == expected,
            "check_page_installed_pgdir: a read of {va} {when} must give {}, not {}",
            expected.words(),
            loaded.words()
        );
    }
}
