//! Copying between the kernel and user memory: [`copyin`](AddressSpace::copyin),
//! [`copyout`](AddressSpace::copyout), [`copyinstr`](AddressSpace::copyinstr).
//!
//! The kernel never follows a user's pointer. It looks each page up in the user's page directory,
//! which need not be the one in use, and allows what the user may do itself: to read a page with U, to
//! write one with W too. Memory at UTOP and above is no user memory, though the user can read some
//! of it. Bytes go through physical memory, where the kernel sees RAM alone, so a device that is mapped
//! for the user is refused. Accessed and dirty bits stay.

use core::mem::take;

use layout::{MemLayout, PGSIZE};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::PageAllocator;
use crate::paging::format::Perm;
use crate::paging::mappings::Mapping;
use crate::paging::vm::Vm;
use crate::space::AddressSpace;
use crate::space::cow::cow_frame;
use crate::space::uvm::UvmError;

impl AddressSpace {
    /// Fills `dst` from the user's memory at `srcva`.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoAccess`] with the first address that the user cannot read, or that is no RAM;
    /// the bytes before it are in `dst` then.
    pub fn copyin<M: Machine>(
        &self,
        vm: &Vm<M>,
        mut dst: &mut [u8],
        srcva: VirtAddr,
    ) -> Result<(), UvmError> {
        let mut va = srcva;
        while !dst.is_empty() {
            let (pa, n) = self.readable(vm, va, dst.len())?;
            let (now, later) = take(&mut dst).split_at_mut(n);
            vm.machine().load_bytes(pa, now);
            (va, dst) = (va + n as u64, later);
        }
        Ok(())
    }

    /// Copies a string that ends with a 0 from the user's memory at `srcva` to `dst`, with the 0,
    /// and returns its length without it. Bytes of `dst` after the 0 may have changed.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoAccess`] as [`copyin`](Self::copyin), if no 0 comes before that address,
    /// and [`UvmError::TooLong`] if no 0 is among the first `dst.len()` bytes.
    pub fn copyinstr<M: Machine>(
        &self,
        vm: &Vm<M>,
        dst: &mut [u8],
        srcva: VirtAddr,
    ) -> Result<usize, UvmError> {
        let mut done = 0;
        while done < dst.len() {
            let (pa, n) = self.readable(vm, srcva + done as u64, dst.len() - done)?;
            let part = &mut dst[done..done + n];
            vm.machine().load_bytes(pa, part);
            if let Some(end) = part.iter().position(|byte| *byte == 0) {
                return Ok(done + end);
            }
            done += n;
        }
        Err(UvmError::TooLong { va: srcva })
    }

    /// Copies `src` to the user's memory at `dstva`. A page that is copy-on-write is made
    /// writable first, as by the user's own write.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoAccess`] with the first address that the user cannot write, or that is no RAM,
    /// and those of [`cow_fault`](Self::cow_fault). Nothing has changed then. A frame that is
    /// copy-on-write at two of the pages is counted as two copies, though one may do.
    pub fn copyout<M: Machine>(
        &mut self,
        vm: &mut Vm<M>,
        dstva: VirtAddr,
        mut src: &[u8],
    ) -> Result<(), UvmError> {
        self.check_writable(vm, dstva, src.len())?;
        let mut va = dstva;
        while !src.is_empty() {
            self.cow_fault(vm, va)?;
            let (pa, n) = self.readable(vm, va, src.len())?;
            let (now, later) = src.split_at(n);
            vm.machine().store_bytes(pa, now);
            (va, src) = (va + n as u64, later);
        }
        Ok(())
    }

    /// Writes `bytes` to the user's memory from `va` on, whether or not the user may. All of it is mapped.
    pub(crate) fn fill<M: Machine>(&mut self, vm: &Vm<M>, mut va: VirtAddr, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(pa) = vm.va2pa(&self.pgdir, va) else { unreachable!("{va} is not mapped") };
            let n = bytes.len().min((PGSIZE - va.as_u64() % PGSIZE) as usize);
            let (now, later) = bytes.split_at(n);
            vm.machine().store_bytes(pa, now);
            (va, bytes) = (va + n as u64, later);
        }
    }

    /// Checks that the user can write all of the `len` bytes at `va`, and that there are pages enough for
    /// the copies that this takes.
    fn check_writable<M: Machine>(
        &self,
        vm: &Vm<M>,
        mut va: VirtAddr,
        len: usize,
    ) -> Result<(), UvmError> {
        let (dstva, mut left, mut copies) = (va, len as u64, 0);
        while left > 0 {
            let page = self.user_ram(vm, va)?;
            if !page.perm.contains(Perm::W) {
                let frame = cow_frame(vm, &page, va)?;
                copies += usize::from(vm.pages().pp_ref(frame) > 1);
            }
            let n = left.min(PGSIZE - (va - page.va));
            (va, left) = (va + n, left - n);
        }
        if copies > vm.pages().nfree() {
            return Err(UvmError::NoMemory { va: dstva });
        }
        Ok(())
    }

    /// The rest of [`readable`](Self::readable), where the fast path does not find the page.
    #[cold]
    #[inline(never)]
    fn slow_readable<M: Machine>(
        &self,
        vm: &Vm<M>,
        va: VirtAddr,
        n: usize,
    ) -> Result<(PhysAddr, usize), UvmError> {
        let page = self.user_ram(vm, va)?;
        Ok((page.pa + (va - page.va), n))
    }

    /// The physical address of the byte at `va`, if the user can read it, and how many of the `len` bytes
    /// from there on lie in the same page.
    #[inline]
    fn readable<M: Machine>(
        &self,
        vm: &Vm<M>,
        va: VirtAddr,
        len: usize,
    ) -> Result<(PhysAddr, usize), UvmError> {
        let offset = va.as_u64() % PGSIZE;
        let n = len.min((PGSIZE - offset) as usize);
        if va.as_u64() < M::Layout::UTOP
            && let Some(page) = self.fast_user_page(vm, va, Perm::UR)
            && vm.is_ram(page.pa)
        {
            return Ok((PhysAddr::new(page.pa.as_u64() | offset), n));
        }
        self.slow_readable(vm, va, n)
    }

    /// The page that `va` lies in, if the user can read it, and it is RAM, which alone
    /// [`PhysMem`](crate::machine::PhysMem) reaches.
    fn user_ram<M: Machine>(&self, vm: &Vm<M>, va: VirtAddr) -> Result<Mapping, UvmError> {
        let page = self.user_page(vm, va, Perm::UR)?;
        if vm.is_ram(page.pa) { Ok(page) } else { Err(UvmError::NoAccess { va }) }
    }
}
