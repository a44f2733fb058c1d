//! [`Facts`]: facts about a machine that are not in its memory.
//!
//! For a machine in QEMU, they come from gdb ([`Told`], written by `tools/picture/shots.py`) and from
//! the kernel's file; a simulated machine knows them itself.

use std::error::Error;

use layout::MemLayout;
use libjos::mem::addr::{PhysAddr, PhysRange};
use libjos::mem::boot::KernelImage;
use object::{Object, ObjectSymbol};
use serde::Deserialize;

/// Facts from gdb about the stopped machine. Addresses are physical.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Told {
    /// The title of the step that the machine has just done.
    pub(crate) title: String,
    /// Details of the step, a sentence or a change per line.
    pub(crate) said: Vec<String>,
    /// The page directory in use; `None` before paging.
    pub(crate) cr3: Option<u64>,
    /// `entry_pgdir`.
    pub(crate) entry_pgdir: Option<u64>,
    /// `kern_pgdir`, once it exists.
    pub(crate) kern_pgdir: Option<u64>,
    /// The array `pages`, once it exists: its address and its length.
    pub(crate) pages: Option<(u64, usize)>,
    /// RAM, as runs of `[start, end)`.
    pub(crate) usable: Vec<(u64, u64)>,
    /// The loader's data in RAM, as runs of `[start, end)`.
    pub(crate) reserved: Vec<(u64, u64)>,
    /// The environments that there are.
    #[serde(default)]
    pub(crate) envs: Vec<ToldEnv>,
}

/// Facts from gdb about an environment.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ToldEnv {
    /// Its id, as JOS prints it.
    pub(crate) id: String,
    /// Its program's name, or nothing.
    pub(crate) program: String,
    /// Its status: `RUNNABLE` and so on.
    pub(crate) status: String,
    /// Its page directory.
    pub(crate) root: u64,
}

/// All facts about a machine.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The facts from the debugger.
    pub(crate) told: Told,
    /// The kernel's parts in physical memory, if they are known.
    pub(crate) image: Option<KernelImage>,
}

impl Facts {
    /// The facts from the debugger, without the kernel's.
    pub(crate) fn new(told: Told) -> Self {
        Self { told, image: None }
    }
}

/// The kernel's parts in physical memory, from its ELF file, on a machine with the map `L`.
pub(crate) fn kernel_image<L: MemLayout>(bytes: &[u8]) -> Result<KernelImage, Box<dyn Error>> {
    let file = object::File::parse(bytes)?;
    let paddr = |name: &str| {
        let symbol = file.symbol_by_name(name);
        let va = symbol.ok_or_else(|| format!("this kernel has no symbol {name}"))?.address();
        let offset = va
            .checked_sub(L::KERNBASE)
            .filter(|offset| *offset < L::WINDOW_SIZE)
            .ok_or_else(|| format!("{name} at {va:#x} is not in the window of {}", L::NAME))?;
        Ok::<_, Box<dyn Error>>(PhysAddr::new(L::PHYS_BASE + offset))
    };
    let range = |start, end| Ok::<_, Box<dyn Error>>(PhysRange::new(paddr(start)?, paddr(end)?));
    Ok(KernelImage {
        text: range("stext", "text_end_exclusive")?,
        rodata: range("text_end_exclusive", "rodata_end_exclusive")?,
        data: range("rodata_end_exclusive", "end")?,
        stack: range("bootstack", "bootstacktop")?,
    })
}
