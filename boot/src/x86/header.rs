//! The multiboot2 header, by which a loader such as GRUB recognises the kernel file and learns what
//! to provide.
//!
//! Const code builds it, checksum included, to the layout in the Multiboot2 specification (version
//! 2.0, section 3.1 "OS image format"). `linker.ld` puts it at the start of the image. There is no
//! multiboot1 header: QEMU would find it first, and cannot load an ELF64 file by it.

use core::mem::{offset_of, size_of};

/// The magic that a loader looks for (section 3.1.2).
const MAGIC: u32 = 0xE852_50D6;
/// The loader enters the kernel in 32-bit protected mode of i386 (section 3.1.2).
const ARCHITECTURE_I386: u32 = 0;

// Types of header tags (sections 3.1.3 to 3.1.13).
const TAG_END: u16 = 0;
const TAG_INFORMATION_REQUEST: u16 = 1;
const TAG_CONSOLE_FLAGS: u16 = 4;
const TAG_MODULE_ALIGNMENT: u16 = 6;

/// A loader that cannot serve a tag refuses the image, unless the tag says that it may be ignored
/// (section 3.1.3).
const REQUIRED: u16 = 0;
const OPTIONAL: u16 = 1;

/// The type of the boot information's memory map (section 3.6.8).
const MEMORY_MAP: u32 = 6;
/// The console tag's "the image can run in EGA text mode" (section 3.1.9).
const EGA_TEXT_SUPPORTED: u32 = 1 << 1;

/// A header tag with `N` words of payload, padded to 8 bytes as each tag must be.
#[repr(C, align(8))]
struct Tag<const N: usize> {
    kind: u16,
    flags: u16,
    size: u32,
    words: [u32; N],
}

impl<const N: usize> Tag<N> {
    const fn new(kind: u16, flags: u16, words: [u32; N]) -> Self {
        Self { kind, flags, size: (8 + 4 * N) as u32, words }
    }
}

/// The header with its tags.
#[repr(C, align(8))]
pub struct Header {
    magic: u32,
    architecture: u32,
    length: u32,
    checksum: u32,
    memory_map: Tag<1>,
    console: Tag<1>,
    module_alignment: Tag<0>,
    end: Tag<0>,
}

const LENGTH: u32 = size_of::<Header>() as u32;

// Only the padding to 8 bytes may follow a tag: a loader finds the next tag by rounding the size up.
const _: () = assert!(offset_of!(Header, memory_map) == 16);
const _: () = assert!(offset_of!(Header, console) == 32);
const _: () = assert!(offset_of!(Header, module_alignment) == 48);
const _: () = assert!(offset_of!(Header, end) == 56);
const _: () = assert!(LENGTH == 64);

/// The header of this kernel. It requires a memory map and page-aligned modules, and asks for text
/// mode, which is optional since UEFI machines have none.
#[unsafe(no_mangle)]
#[cfg_attr(jos_machine, unsafe(link_section = ".multiboot2"))]
#[used]
#[allow(non_upper_case_globals, reason = "a symbol for linker.ld, which wants it first")]
pub static multiboot2_header: Header = Header {
    magic: MAGIC,
    architecture: ARCHITECTURE_I386,
    length: LENGTH,
    // The four words add up to 0 modulo 2^32.
    checksum: 0u32.wrapping_sub(MAGIC).wrapping_sub(ARCHITECTURE_I386).wrapping_sub(LENGTH),
    memory_map: Tag::new(TAG_INFORMATION_REQUEST, REQUIRED, [MEMORY_MAP]),
    console: Tag::new(TAG_CONSOLE_FLAGS, OPTIONAL, [EGA_TEXT_SUPPORTED]),
    module_alignment: Tag::new(TAG_MODULE_ALIGNMENT, REQUIRED, []),
    end: Tag::new(TAG_END, REQUIRED, []),
};

#[cfg(test)]
mod tests;
