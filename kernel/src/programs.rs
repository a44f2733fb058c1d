//! The programs that the kernel can run: those in the loader's modules, each an ELF file or an archive of them, and
//! those in the archive of the image.

use libjos::env::archive::{Archive, ArchiveError};
use libjos::mem::kaddr::kaddr;

use crate::arch::Layout;
use crate::boot_info;
use crate::machine;
use crate::symbols;

/// Where programs come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// The loader's module with this number, from 1 on.
    Module(usize),
    /// The kernel's image.
    Image,
}

/// The contents of a module, or of the image.
pub(crate) enum Files {
    /// One program, whatever it is called.
    Program(&'static [u8]),
    /// Programs with names.
    Archive(Archive<'static>),
    /// No programs, and why it is no archive of them.
    Nothing(ArchiveError),
}

/// All modules, and last the image.
pub(crate) fn all() -> impl Iterator<Item = (Origin, Files)> {
    let modules = boot_info::get().reserved().filter(|part| part.name == "module");
    let modules = modules.enumerate().map(|(i, module)| {
        let size = module.range.size();
        let place = kaddr::<Layout>(module.range.start, size);
        // (A module is empty that no window shows, or that a loader places where it cannot be.)
        let file = place.filter(|_| boot_info::is_readable(module.range)).map_or(&[][..], |_| {
            let file = machine::kaddr::<u8>(module.range.start, size);
            // SAFETY: a window shows it for good. It is neither the kernel nor a device, and no allocator hands it out
            // (`boot_info::for_mem_init`), so nothing writes to it.
            unsafe { core::slice::from_raw_parts(file, size as usize) }
        });
        (Origin::Module(i + 1), files(file))
    });
    modules.chain(core::iter::once_with(|| (Origin::Image, files(symbols::programs()))))
}

/// The contents of `file`.
fn files(file: &'static [u8]) -> Files {
    if file.starts_with(b"\x7fELF") {
        return Files::Program(file);
    }
    Archive::new(file).map_or_else(Files::Nothing, Files::Archive)
}

/// Calls `each` with the name of every program that has one.
pub(crate) fn for_each_name(each: &mut dyn FnMut(&str)) {
    for (_, files) in all() {
        if let Files::Archive(archive) = files {
            archive.for_each_name(&mut *each);
        }
    }
}

/// The first program with this name. Names the modules before it that are none and hold none.
pub(crate) fn find(name: &str) -> Option<&'static [u8]> {
    all().find_map(|(origin, files)| match files {
        Files::Program(file) => Some(file),
        Files::Archive(archive) => archive.find(name),
        Files::Nothing(error) => {
            if origin != Origin::Image {
                println!("a boot module is neither a program nor an archive: {error}");
            }
            None
        }
    })
}

#[cfg(test)]
mod tests;
