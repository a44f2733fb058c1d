//! The PVH entry note, in which `qemu -kernel` finds the entry point.
//!
//! Xen's PVH boot ABI (xen/docs/misc/pvh.pandoc): an ELF note with the name "Xen" and the type
//! XEN_ELFNOTE_PHYS32_ENTRY holds the physical address at which the loader enters, in 32-bit
//! protected mode without paging, with EBX holding the physical address of `hvm_start_info`.

/// XEN_ELFNOTE_PHYS32_ENTRY (xen/include/public/elfnote.h).
const XEN_ELFNOTE_PHYS32_ENTRY: u32 = 18;

// An ELF note (System V ABI, chapter 5 "Note Section"): sizes of name and descriptor, type, name,
// descriptor. QEMU takes the descriptor of an ELF64 file to be 8 bytes long, and reads the first 4 of an
// ELF32 file's.
core::arch::global_asm!(
    ".section .note.Xen, \"a\", @note",
    ".balign 4",
    ".globl pvh_note",
    "pvh_note:",
    ".long 2f - 1f",
    ".long 4f - 3f",
    ".long {entry_note}",
    "1: .asciz \"Xen\"",
    "2: .balign 4",
    "3: .long pvh_start, 0",
    "4:",
    ".previous",
    entry_note = const XEN_ELFNOTE_PHYS32_ENTRY,
);
