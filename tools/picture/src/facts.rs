//! [`Facts`]: what is known of a machine beside its memory.
//!
//! Of the machine in QEMU, gdb tells it ([`Told`]; `tools/picture/shots.py` asks for it), and the
//! kernel's file has the rest; a simulated machine knows it by itself.

use std::error::Error;

use layout::{Jos64, MemLayout};
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::boot::KernelImage;
use object::{Object, ObjectSymbol};
use serde::Deserialize;

/// What gdb says of the machine, where it has stopped. Addresses are physical.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Told {
    /// What the machine has just done.
    pub(crate) title: String,
    /// More of it, a sentence or a change a line.
    pub(crate) said: Vec<String>,
    /// The page directory in use, or none before paging.
    pub(crate) cr3: Option<u64>,
    /// `entry_pgdir`.
    pub(crate) entry_pgdir: Option<u64>,
    /// `kern_pgdir`, once it is there.
    pub(crate) kern_pgdir: Option<u64>,
    /// The array `pages`, once it is there: its address and its length.
    pub(crate) pages: Option<(u64, usize)>,
    /// RAM, as runs of `[start, end)`.
    pub(crate) usable: Vec<(u64, u64)>,
    /// What the loader left in RAM, as runs of `[start, end)`.
    pub(crate) reserved: Vec<(u64, u64)>,
}

/// All that is known of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// What the debugger says.
    pub(crate) told: Told,
    /// Where the kernel lies, if that is known.
    pub(crate) image: Option<KernelImage>,
}

impl Facts {
    /// What the debugger says.
    pub(crate) fn new(told: Told) -> Self {
        Self { told, image: None }
    }

    /// Takes in what the kernel's ELF file says: where its parts lie in physical memory.
    pub(crate) fn read_kernel(&mut self, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        let file = object::File::parse(bytes)?;
        let paddr = |name: &str| {
            let symbol = file.symbol_by_name(name);
            let va = symbol.ok_or_else(|| format!("this kernel has no symbol {name}"))?.address();
            let offset = va
                .checked_sub(Jos64::KERNBASE)
                .ok_or_else(|| format!("{name} lies below KERNBASE"))?;
            Ok::<_, Box<dyn Error>>(PhysAddr::new(Jos64::PHYS_BASE + offset))
        };
        let range =
            |start, end| Ok::<_, Box<dyn Error>>(PhysRange::new(paddr(start)?, paddr(end)?));
        self.image = Some(KernelImage {
            text: range("stext", "text_end_exclusive")?,
            rodata: range("text_end_exclusive", "rodata_end_exclusive")?,
            data: range("rodata_end_exclusive", "end")?,
            stack: range("bootstack", "bootstacktop")?,
        });
        Ok(())
    }
}
