//! Copying between the kernel and user memory: [`copyin`](Pmap::copyin),
//! [`copyout`](Pmap::copyout), [`copyinstr`](Pmap::copyinstr).
//!
//! The kernel never follows a user's pointer. It looks each page up in the user's page directory,
//! which need not be the one in use, and allows what the user could do itself: read where the page
//! has U, write where it has W too. What lies at UTOP or above is no user memory, even where the
//! user can read it. Nor does what is no RAM, such as a device that is mapped for the user: bytes
//! go through physical memory, where the kernel sees RAM alone. Accessed and dirty bits stay.

use core::mem::take;

use layout::{MemLayout, PGSIZE, round_down};

use crate::machine::Machine;
use crate::mem::addr::{PhysAddr, VirtAddr};
use crate::mem::pages::PageAllocator;
use crate::paging::format::Perm;
use crate::pmap::Pmap;
use crate::space::uvm::{UserPage, UvmError};

/// Bytes of the words that memory is read and written by.
const WORD: u64 = size_of::<u64>() as u64;

impl<M: Machine> Pmap<M> {
    /// Fills `dst` from the user's memory at `srcva`.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoAccess`] with the first address that the user cannot read, or that is no RAM;
    /// what lies before it is in `dst` then.
    pub fn copyin(
        &self,
        pgdir: PhysAddr,
        mut dst: &mut [u8],
        srcva: VirtAddr,
    ) -> Result<(), UvmError> {
        let mut va = srcva;
        while !dst.is_empty() {
            let (pa, n) = self.readable(pgdir, va, dst.len())?;
            let (now, later) = take(&mut dst).split_at_mut(n);
            self.read_bytes(pa, now);
            (va, dst) = (va + n as u64, later);
        }
        Ok(())
    }

    /// Copies a string that ends with a 0 from the user's memory at `srcva` to `dst`, with the 0,
    /// and returns its length without it. Bytes of `dst` after the 0 may have changed.
    ///
    /// # Errors
    ///
    /// [`UvmError::NoAccess`] as [`copyin`](Self::copyin), where no 0 comes before that address,
    /// and [`UvmError::TooLong`] where none is among the first `dst.len()` bytes.
    pub fn copyinstr(
        &self,
        pgdir: PhysAddr,
        dst: &mut [u8],
        srcva: VirtAddr,
    ) -> Result<usize, UvmError> {
        let mut done = 0;
        while done < dst.len() {
            let (pa, n) = self.readable(pgdir, srcva + done as u64, dst.len() - done)?;
            let part = &mut dst[done..done + n];
            self.read_bytes(pa, part);
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
    /// and what [`cow_fault`](Self::cow_fault) says. Nothing has changed then. A frame that is
    /// copy-on-write at two of the pages is counted as two copies, though it may take but one.
    pub fn copyout(
        &mut self,
        pgdir: PhysAddr,
        dstva: VirtAddr,
        mut src: &[u8],
    ) -> Result<(), UvmError> {
        self.check_writable(pgdir, dstva, src.len())?;
        let mut va = dstva;
        while !src.is_empty() {
            self.cow_fault(pgdir, va)?;
            let (pa, n) = self.readable(pgdir, va, src.len())?;
            let (now, later) = src.split_at(n);
            self.write_bytes(pa, now);
            (va, src) = (va + n as u64, later);
        }
        Ok(())
    }

    /// The user can write all of the `len` bytes at `va`, and there are pages enough for the
    /// copies that this takes.
    fn check_writable(
        &self,
        pgdir: PhysAddr,
        mut va: VirtAddr,
        len: usize,
    ) -> Result<(), UvmError> {
        let (dstva, mut left, mut copies) = (va, len as u64, 0);
        while left > 0 {
            let page = self.user_ram(pgdir, va)?;
            if !page.perm.contains(Perm::W) {
                let frame = self.cow_frame(&page, va)?;
                copies += usize::from(self.pages.pp_ref(frame) > 1);
            }
            let n = left.min(PGSIZE - (va - page.va));
            (va, left) = (va + n, left - n);
        }
        if copies > self.pages.nfree() {
            return Err(UvmError::NoMemory { va: dstva });
        }
        Ok(())
    }

    /// Where the byte at `va` is, if the user can read it, and how many of the `len` from there
    /// on lie in the same page.
    fn readable(
        &self,
        pgdir: PhysAddr,
        va: VirtAddr,
        len: usize,
    ) -> Result<(PhysAddr, usize), UvmError> {
        let page = self.user_ram(pgdir, va)?;
        let offset = va - page.va;
        Ok((page.pa + offset, len.min((PGSIZE - offset) as usize)))
    }

    /// The page that `va` lies in, if the user can read it, and the kernel too: only where it is
    /// RAM does [`PhysMem`](crate::machine::PhysMem) reach it.
    fn user_ram(&self, pgdir: PhysAddr, va: VirtAddr) -> Result<UserPage, UvmError> {
        let page = self.user_page(pgdir, va, Perm::UR)?;
        if self.is_ram(page.pa) { Ok(page) } else { Err(UvmError::NoAccess { va }) }
    }

    /// Whether `pa` is RAM that can be reached, and no device. (There are holes in what `pages`
    /// describes, and the window's last frame is out of reach.)
    pub(crate) fn is_ram(&self, pa: PhysAddr) -> bool {
        let is_reached = pa.page_start() != PhysAddr::new(M::Layout::WINDOW_LAST_FRAME);
        is_reached && self.pages.pa2page(pa).is_some() && self.boot.memory.usable().contains(pa)
    }

    /// Reads the bytes at `pa`, all of one page.
    fn read_bytes(&self, mut pa: PhysAddr, mut dst: &mut [u8]) {
        while !dst.is_empty() {
            let word = PhysAddr::new(round_down(pa.as_u64(), WORD));
            let bytes = &self.machine.load::<u64>(word).to_ne_bytes()[(pa - word) as usize..];
            let n = bytes.len().min(dst.len());
            let (now, later) = take(&mut dst).split_at_mut(n);
            now.copy_from_slice(&bytes[..n]);
            (pa, dst) = (pa + n as u64, later);
        }
    }

    /// Writes the bytes at `pa`, all of one page. Neighbours in the same word are written too,
    /// with what was there.
    fn write_bytes(&self, mut pa: PhysAddr, mut src: &[u8]) {
        while !src.is_empty() {
            let word = PhysAddr::new(round_down(pa.as_u64(), WORD));
            let mut bytes = self.machine.load::<u64>(word).to_ne_bytes();
            let part = &mut bytes[(pa - word) as usize..];
            let n = part.len().min(src.len());
            let (now, later) = src.split_at(n);
            part[..n].copy_from_slice(now);
            self.machine.store(word, u64::from_ne_bytes(bytes));
            (pa, src) = (pa + n as u64, later);
        }
    }

    /// Copies the frame at `from` to the one at `to`.
    pub(crate) fn copy_frame(&self, from: PhysAddr, to: PhysAddr) {
        for offset in (0..PGSIZE).step_by(WORD as usize) {
            self.machine.store(to + offset, self.machine.load::<u64>(from + offset));
        }
    }
}
