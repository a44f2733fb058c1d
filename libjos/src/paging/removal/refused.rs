//! The ways round the flush, none of which compiles: read by `cargo test --doc` alone.
//!
//! Each is a line that is permitted and one that is not, behind the same preparation. The first
//! must compile and run; of the second rustdoc expects the compiler's error, by its number where
//! it is a nightly one. So what the second is refused for can only be what tells it from the first.

/// A test of each line: `permitted` compiles and runs, `refused` is the error `code`.
macro_rules! refused {
    ($($(#[doc = $what:literal])* $name:ident: $code:literal, $permitted:literal, $refused:literal;)*) => { $(
        $(#[doc = $what])*
        ///
        /// ```
        #[doc = refused!(@after $permitted)]
        /// ```
        ///
        #[doc = concat!("```compile_fail", $code)]
        #[doc = refused!(@after $refused)]
        /// ```
        mod $name {}
    )* };
    // Two pages that were mapped and are no more, and a third, which has been read-write. Under Miri
    // mem_init takes a minute, and nothing here is unsafe.
    (@after $line:literal) => {
        concat!(
            "#![deny(unused_must_use)]\n",
            "# use layout::{Jos64, MB, PGSIZE};\n",
            "# use libjos::mem::addr::{PhysAddr, VirtAddr};\n",
            "# use libjos::paging::format::Perm;\n",
            "# use libjos::mem::pages::{FreeFrames, PageAllocator};\n",
            "# use libjos::paging::removal::{Flush, Flushed, Removal};\n",
            "# use libjos::{pmap::mem_init, sim::SimMachine, paging::format::x86_64::X86_64};\n",
            "# if cfg!(miri) { return; }\n",
            "# let (machine, boot) = SimMachine::<Jos64, X86_64>::new(5 * MB);\n",
            "# let mut pmap = mem_init(machine, boot);\n",
            "# let pgdir = pmap.uvmcreate().unwrap();\n",
            "# pmap.uvmalloc(pgdir, 0, 3 * PGSIZE, Perm::W).unwrap();\n",
            "let third = VirtAddr::new(2 * PGSIZE);\n",
            "let flush = pmap.protect_range(pgdir, third, PGSIZE, Perm::UR).unwrap();\n",
            "let removal = pmap.unmap_range(pgdir, VirtAddr::new(0), 2 * PGSIZE).unwrap();\n",
            $line,
        )
    };
}

refused! {
    /// Freed before the flush.
    freed_first: ",E0599",
        "assert_eq!(removal.flush(&mut pmap.machine).free(&mut pmap.pages), 2);",
        "assert_eq!(removal.free(&mut pmap.pages), 2);";
    /// Flushed twice, and so freed twice.
    flushed_twice: ",E0382",
        "let flushed = removal.flush(&mut pmap.machine); assert_eq!(flushed.free(&mut pmap.pages), 2);",
        "let flushed = removal.flush(&mut pmap.machine); assert_eq!(flushed.free(&mut pmap.pages), 2); \
         let again = removal.flush(&mut pmap.machine); assert_eq!(again.free(&mut pmap.pages), 2);";
    /// Freed twice.
    freed_twice: ",E0382",
        "let flushed = removal.flush(&mut pmap.machine); flushed.free(&mut pmap.pages);",
        "let flushed = removal.flush(&mut pmap.machine); flushed.free(&mut pmap.pages); \
         flushed.free(&mut pmap.pages);";
    /// Flushed twice, where nothing is to be freed.
    changed_and_flushed_twice: ",E0382",
        "flush.flush(&mut pmap.machine);",
        "flush.flush(&mut pmap.machine); flush.flush(&mut pmap.machine);";
    /// A second one of the same, to be freed now while the first is flushed later.
    removal_copied: ",E0599",
        "let Removal { .. } = removal;",
        "let Removal { .. } = removal.clone();";
    /// The same of what was flushed.
    flushed_copied: ",E0599",
        "let Flushed { .. } = removal.flush(&mut pmap.machine);",
        "let Flushed { .. } = removal.flush(&mut pmap.machine).clone();";
    /// The frames taken out.
    frames_taken_out: ",E0616",
        "let flushed: Flushed = removal.flush(&mut pmap.machine);",
        "let frames: FreeFrames = removal.frames;";
    /// The frames taken out by a pattern.
    frames_taken_out_by_pattern: ",E0451",
        "let Removal { .. } = removal;",
        "let Removal { frames, .. } = removal;";
    /// Flushed by word alone.
    flushed_by_hand: ",E0451",
        "let flushed: fn() -> Flushed = || unreachable!();",
        "let flushed: fn() -> Flushed = || Flushed { frames: unreachable!() };";
    /// Frames that came from no removal.
    frames_made: ",E0624",
        "let make: fn() -> FreeFrames = || unreachable!();",
        "let make: fn() -> FreeFrames = || FreeFrames::new();";
    /// Frames given back past the token.
    frames_given_back: ",E0624",
        "let give_back = |frames: FreeFrames| frames;",
        "let give_back = |frames: FreeFrames| pmap.pages.take_back(frames);";
    /// A token that says there is nothing to flush.
    nothing_to_flush: ",E0624",
        "let flush: fn() -> Flush = || unreachable!();",
        "let flush: fn() -> Flush = || Flush::new(false);";
    /// The same with frames.
    nothing_removed: ",E0624",
        "let removal: fn() -> Removal = || unreachable!();",
        "let removal: fn() -> Removal = || Removal::new(false);";
    /// Frames that wait added by hand.
    released_by_hand: ",E0624",
        "let frame = pmap.pages.pa2page(PhysAddr::new(0)).unwrap(); let mut removal = removal; \
         drop((frame, &mut removal));",
        "let frame = pmap.pages.pa2page(PhysAddr::new(0)).unwrap(); let mut removal = removal; \
         removal.release(&mut pmap.pages, frame);";
    /// A removal that nobody looks at. (A lint, denied above: it has no number.)
    removal_dropped: "",
        "let _ = pmap.unmap_range(pgdir, third, PGSIZE).unwrap();",
        "pmap.unmap_range(pgdir, third, PGSIZE).unwrap();";
    /// Frames that nobody frees.
    flushed_dropped: "",
        "let _ = removal.flush(&mut pmap.machine);",
        "removal.flush(&mut pmap.machine);";
    /// A change that nobody flushes.
    change_dropped: "",
        "let _ = pmap.protect_range(pgdir, third, PGSIZE, Perm::URW).unwrap();",
        "pmap.protect_range(pgdir, third, PGSIZE, Perm::URW).unwrap();";
    /// Memory moved down that nobody flushes.
    sbrk_dropped: "",
        "let _ = pmap.uvmdealloc(pgdir, 3 * PGSIZE, 0).unwrap().1;",
        "pmap.uvmdealloc(pgdir, 3 * PGSIZE, 0).unwrap().1;";
    /// The free list taken out, and lost.
    free_list_dropped: "",
        "let list = pmap.pages.set_aside_free_list(); pmap.pages.give_back(list);",
        "pmap.pages.set_aside_free_list();";
}
