//! `entry_pgdir`: the page directory that the kernel starts on.
//!
//! Like JOS's, it maps physical memory twice: at 0, where the entry code runs when it turns paging on,
//! and at KERNBASE, where the kernel is linked. It maps the whole window, [0, `WINDOW_SIZE`), with
//! 4 MB pages, so it needs no other table. All of it is writable. `mem_init` replaces it with `kern_pgdir`,
//! which has proper permissions and no low half.

use core::sync::atomic::AtomicU32;

use layout::{Jos32, MemLayout};

// Bits of a page-directory entry (Intel SDM vol. 3A, 4.3, table 4-4).
const PDE_P: u32 = 1 << 0; // present
const PDE_W: u32 = 1 << 1; // writable
const PDE_PS: u32 = 1 << 7; // a 4 MB page

/// Entries of the directory.
const NPDENTRIES: usize = 1024;

// The window must begin at a large page's boundary.
const _: () = assert!(Jos32::KERNBASE.is_multiple_of(Jos32::PTSIZE) && Jos32::PHYS_BASE == 0);
const _: () = assert!(Jos32::WINDOW_SIZE.is_multiple_of(Jos32::PTSIZE));

/// A page directory. The entries are atomic, since the processor sets accessed and dirty bits in them.
#[repr(C, align(4096))]
pub struct Directory([AtomicU32; NPDENTRIES]);

const _: () = assert!(size_of::<Directory>() as u64 == layout::PGSIZE);

impl Directory {
    const fn empty() -> Self {
        Self([const { AtomicU32::new(0) }; NPDENTRIES])
    }

    /// Maps physical [0, `WINDOW_SIZE`) at `va`.
    const fn window(mut self, va: u64) -> Self {
        let first = (va / Jos32::PTSIZE) as usize;
        let mut i = 0;
        while i < Jos32::WINDOW_SIZE / Jos32::PTSIZE {
            let pa = (i * Jos32::PTSIZE) as u32;
            self.0[first + i as usize] = AtomicU32::new(pa | PDE_PS | PDE_W | PDE_P);
            i += 1;
        }
        self
    }
}

/// The page directory that the kernel starts on.
#[cfg_attr(jos_machine, unsafe(no_mangle))]
#[allow(non_upper_case_globals, reason = "JOS's name")]
pub static entry_pgdir: Directory = Directory::empty().window(0).window(Jos32::KERNBASE);

#[cfg(test)]
mod tests;
