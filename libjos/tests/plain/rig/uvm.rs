//! The operations on address spaces and their users' memory.

use std::mem::ManuallyDrop;

use layout::{MemLayout, PGSIZE};
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::PageAllocator;
use libjos::paging::format::Format;
use libjos::sim::mmu::Mmu;
use libjos::space::AddressSpace;

use super::{Rig, pgdir_of, space_of};
use crate::plain::ops::{Bytes, Op};
use crate::plain::uvm::NewPage;
use crate::plain::{KERNEL, Plain};

impl<L: MemLayout, F: Format + Mmu> Rig<L, F> {
    /// Makes the address space, if it was taken down; whether there is one then.
    pub(super) fn make_space(&mut self, space: usize) -> bool {
        if self.spaces[space].is_none() {
            let result = AddressSpace::uvmcreate(&mut self.pmap).map(ManuallyDrop::new);
            assert_eq!(
                result.as_ref().map(|_| ()).map_err(|error| *error),
                self.plain.uvmcreate(space)
            );
            self.spaces[space] = result.ok();
            self.sizes[space] = 0;
            self.compare();
        }
        self.spaces[space].is_some()
    }

    /// Does `op` to both and compares the results.
    pub(super) fn apply_to_users(&mut self, op: &Op) {
        let Self { pmap, plain, spaces, .. } = self;
        let before = pmap.pages().nfree();
        match *op {
            Op::Uvmfree { space } => {
                let Some(taken) = spaces[space].take() else { return };
                let freed = ManuallyDrop::into_inner(taken).uvmfree(pmap);
                let expected = plain.uvmfree(space);
                if self.loaded == space {
                    self.loaded = KERNEL;
                }
                self.unmapped(before, Ok::<_, ()>(freed), Ok(expected));
            }
            Op::Uvmalloc { space, old, new, xperm } => {
                let (old, new) = (old.bytes::<L, F>(), new.bytes::<L, F>());
                let expected = plain.uvmalloc(space, old, new, xperm);
                let result = space_of(spaces, space).uvmalloc(pmap, old, new, xperm);
                assert_eq!(result, expected.as_ref().map(|(sz, _)| *sz).map_err(|error| *error));
                self.adopt_pages(space, expected.into_iter().flat_map(|(_, pages)| pages));
            }
            Op::Uvmdealloc { space, old, new } => {
                let (old, new) = (old.bytes::<L, F>(), new.bytes::<L, F>());
                let expected = plain.uvmdealloc(space, old, new);
                let result = space_of(spaces, space).uvmdealloc(pmap, old, new);
                assert_eq!(result, expected.map(|to| to.0));
            }
            Op::Sbrk { space, n } => self.sbrk(space, n),
            Op::Uvmcopy { from, size } => {
                let (sz, to) = (size.bytes::<L, F>(), 1 - from);
                let expected = plain.uvmcopy(from, to, sz);
                let [Some(first), Some(second)] = spaces else { unreachable!("both were made") };
                let (old, new) = if from == 0 { (first, second) } else { (second, first) };
                let result = old.uvmcopy(pmap, new, sz);
                assert_eq!(result.err(), expected.as_ref().err().copied());
                self.adopt_pages(to, expected.into_iter().flatten());
            }
            Op::Uvmcow { from, size } => {
                let (sz, to) = (size.bytes::<L, F>(), 1 - from);
                let expected = plain.uvmcow(from, to, sz);
                let [Some(first), Some(second)] = spaces else { unreachable!("both were made") };
                let (old, new) = if from == 0 { (first, second) } else { (second, first) };
                let result = old.uvmcow(pmap, new, sz);
                assert_eq!(result, expected);
            }
            Op::Copyin { space, bytes } => self.copyin(space, bytes),
            Op::Copyout { space, bytes } => self.copyout(space, bytes),
            Op::Clearpteu { space, place } => {
                let va = place.va::<L, F>() + 8;
                let expected = plain.clearpteu(space, va);
                let result = space_of(spaces, space).clearpteu(pmap, VirtAddr::new(va));
                assert_eq!(result, expected);
            }
            _ => unreachable!("{op:?} is no operation on user memory"),
        }
    }

    /// libjos gave an address space pages: they must have been free, and hold what the model says.
    pub(super) fn adopt_pages(&mut self, space: usize, pages: impl Iterator<Item = NewPage>) {
        for page in pages {
            let pfn = self.adopt_page(space, page);
            self.compare_contents(pfn);
        }
    }

    /// One of them, whose contents may not yet be what the model says. Returns the frame.
    fn adopt_page(&mut self, space: usize, page: NewPage) -> u64 {
        let va = VirtAddr::new(page.0);
        let pa = self.pmap.va2pa(pgdir_of(&mut self.spaces, space), va).expect("a new page");
        let pfn = pa.as_u64() / PGSIZE;
        self.adopt(pfn);
        self.plain.give_page(space, page, pfn);
        pfn
    }

    fn sbrk(&mut self, space: usize, n: i64) {
        let result = space_of(&mut self.spaces, space).sbrk(&mut self.pmap, n);
        let expected = self.plain.sbrk(space, self.sizes[space], n);
        let old_end = VirtAddr::new(self.sizes[space]);
        assert_eq!(result, expected.as_ref().map(|_| old_end).map_err(|error| *error));
        if let Ok(moved) = &expected {
            self.sizes[space] = moved.sz;
            self.adopt_pages(space, moved.pages.iter().copied());
        }
        assert_eq!(space_of(&mut self.spaces, space).sz(), self.sizes[space]);
    }

    /// Bytes, and a string that may end among them.
    fn copyin(&mut self, space: usize, bytes: Bytes) {
        let (va, len) = (bytes.va::<L, F>(), bytes.len);
        let mut dst = vec![0; len as usize];
        let result =
            space_of(&mut self.spaces, space).copyin(&self.pmap, &mut dst, VirtAddr::new(va));
        let (read, expected) = self.plain.copyin(space, va, len);
        assert_eq!(result, expected);
        assert_eq!(dst[..read.len()], read, "copied in from {va:#x}");
        let result =
            space_of(&mut self.spaces, space).copyinstr(&self.pmap, &mut dst, VirtAddr::new(va));
        assert_eq!(result, self.plain.copyinstr(space, va, len));
        let read = &read[..result.map_or(0, |length| length + 1)];
        assert_eq!(&dst[..read.len()], read, "the string at {va:#x}");
    }

    /// Bytes, which the user then reads.
    fn copyout(&mut self, space: usize, bytes: Bytes) {
        let (va, len) = (bytes.va::<L, F>(), bytes.len);
        self.stamp += 1;
        // One in 23 of them ends a string.
        let src: Vec<u8> = (self.stamp * 5..).take(len as usize).map(|n| (n % 23) as u8).collect();
        let result =
            space_of(&mut self.spaces, space).copyout(&mut self.pmap, VirtAddr::new(va), &src);
        assert_eq!(result, self.plain.check_copyout(space, va, len));
        if result.is_err() {
            return;
        }
        let mut copies = vec![];
        for at in Plain::<L, F>::page_starts(va, len) {
            let copy = self.plain.cow_fault(space, at).expect("that was checked");
            copies.extend(copy.map(|page| self.adopt_page(space, page)));
        }
        self.plain.copyout(space, va, &src);
        copies.into_iter().for_each(|pfn| self.compare_contents(pfn));
        if self.loaded != space || len == 0 {
            return;
        }
        for at in (va / 8 * 8..va + len).step_by(8) {
            let (pa, _) = self.plain.translate(space, at).expect("that was written");
            let expected = self.plain.memory.word(pa.as_u64());
            let read = self.pmap.machine_mut().user_load(VirtAddr::new(at));
            assert_eq!(read, Ok(expected), "copied out to {at:#x}");
            self.plain.touch(space, at, false);
        }
    }
}
