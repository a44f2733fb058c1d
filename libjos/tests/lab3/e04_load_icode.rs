//! Exercise 4: `load_icode`.

use layout::{MemLayout, PGSIZE};
use libjos::env::elf::Program;
use libjos::env::load::load_icode;
use libjos::mem::addr::PhysAddr;
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Geometry, Perm};
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::SimFrame;

use crate::complaints::called;
use crate::rig::elf::{Part, R, W, X, elf_of, hello, part};
use crate::space::Space;
use crate::state::{give_back, take};

lab_tests! {
    e04_load_icode_maps_what_the_file_says
    e04_load_icode_copies_the_bytes_and_leaves_zeros
    e04_load_icode_gives_a_page_of_stack
    e04_load_icode_lets_segments_share_a_page
    e04_load_icode_without_memory_is_an_error
}

impl<L: MemLayout, F: Format + Mmu> Space<L, F> {
    fn load_icode(&mut self, parts: &[Part]) -> Result<(), MapError> {
        let file = elf_of::<F>(parts);
        let program = Program::new::<SimMachine<L, F>, SimFrame<F>>(&file).expect("a program");
        called("load_icode", || load_icode(&mut self.space, &mut self.pmap, &program))
    }

    /// Loads a program for which there is memory.
    fn loaded(parts: &[Part]) -> Self {
        let mut rig = Self::new();
        let made = rig.load_icode(parts);
        assert!(made.is_ok(), "load_icode gives {made:?}, but there is memory");
        rig
    }

    /// Asserts that the bytes of a segment are there, and zeros behind them to its end.
    fn assert_bytes(&self, part: &Part) {
        for offset in 0..part.size {
            let va = part.va + offset;
            let (found, wanted) = (self.bytes(va, 1)[0], part.bytes.get(offset as usize));
            assert!(
                found == wanted.copied().unwrap_or(0),
                "after load_icode the byte at {va:#x}, {offset:#x} in the segment at {:#x} with {:#x} bytes in the file and {:#x} in \
                 memory, must be {:#x}, but is {found:#x}",
                part.va,
                part.bytes.len(),
                part.size,
                wanted.copied().unwrap_or(0)
            );
        }
    }
}

/// The pages of a space, without their frames.
fn shown(pages: Vec<(u64, PhysAddr, Perm)>) -> Vec<String> {
    pages.into_iter().map(|(va, _, perm)| format!("{va:#x} {perm}")).collect()
}

fn e04_load_icode_maps_what_the_file_says<L: MemLayout, F: Format + Mmu>() {
    let rig = Space::<L, F>::loaded(&hello());
    let [r, rx, rw] = [Perm::UR, Perm::UR | Perm::X, Perm::URW].map(F::effective);
    let wanted = [
        (0x20_0000, r),
        (0x80_0000, rx),
        (0x80_1000, rx),
        (0x80_2000, rw),
        (0x80_3000, rw),
        (0x80_4000, rw),
        (L::USTACKTOP - PGSIZE, rw),
    ];
    let wanted: Vec<_> = wanted.map(|(va, perm)| format!("{va:#x} {perm}")).into();
    let found = shown(rig.pages());
    assert!(found == wanted, "load_icode must map {wanted:?}, but maps {found:?}");
    let lost = rig.end();
    assert!(lost == 0, "after load_icode and the end of the address space {lost} frames are lost");
}

fn e04_load_icode_copies_the_bytes_and_leaves_zeros<L: MemLayout, F: Format + Mmu>() {
    let rig = Space::<L, F>::loaded(&hello());
    hello().iter().for_each(|part| rig.assert_bytes(part));
    // In the pages around the segments.
    for va in [0x20_0012, 0x80_0000, 0x80_001F, 0x80_1020 + 5000 - PGSIZE, 0x80_1FFF, 0x80_4FFF] {
        let byte = rig.bytes(va, 1)[0];
        assert!(
            byte == 0,
            "after load_icode the byte at {va:#x}, outside of any segment, must be 0, but is {byte:#x}"
        );
    }
    rig.end();
}

fn e04_load_icode_gives_a_page_of_stack<L: MemLayout, F: Format + Mmu>() {
    let rig = Space::<L, F>::loaded(&hello());
    let stack = L::USTACKTOP - PGSIZE;
    let page = rig.page(stack).map(|(_, perm)| perm);
    assert!(
        page == Some(F::effective(Perm::URW)),
        "load_icode must map a page of stack at {stack:#x}, which the program can write, but its permissions are {page:?}"
    );
    assert!(
        rig.bytes(stack, PGSIZE as usize).iter().all(|byte| *byte == 0),
        "load_icode must give a stack of zeros, but there are others"
    );
    rig.end();
}

fn e04_load_icode_lets_segments_share_a_page<L: MemLayout, F: Format + Mmu>() {
    let code = part(0x80_0100, R | X, 8, b"codecode");
    let parts = [part(0x80_0000, R, 8, b"constant"), code, part(0x80_0200, R, 0x1000, b"more")];
    let rig = Space::<L, F>::loaded(&parts);
    parts.iter().for_each(|part| rig.assert_bytes(part));
    let perms = [0x80_0000, 0x80_1000].map(|va| rig.page(va).map(|(_, perm)| perm));
    let wanted = [Perm::UR | Perm::X, Perm::UR].map(|perm| Some(F::effective(perm)));
    assert!(
        perms == wanted,
        "load_icode of segments that share a page: the pages 0x800000 and 0x801000 must have {wanted:?}, but have {perms:?}"
    );
    let data = [
        part(0x80_0000, R, 8, b"x"),
        part(0x80_1000, R | X, 8, b"y"),
        part(0x80_2ff0, R | W, 0x20, b"z"),
    ];
    let rig = Space::<L, F>::loaded(&data);
    data.iter().for_each(|part| rig.assert_bytes(part));
    rig.end();
}

fn e04_load_icode_without_memory_is_an_error<L: MemLayout, F: Format + Mmu>() {
    let mut took = None;
    for left in 0..24 {
        let mut rig = Space::<L, F>::new();
        let taken = take(&mut rig.pmap, left);
        let made = rig.load_icode(&hello());
        give_back(&mut rig.pmap, taken);
        assert!(
            matches!(made, Ok(()) | Err(MapError::NoMemory { .. })),
            "load_icode with {left} free frames gives {made:?}"
        );
        let lost = rig.end();
        assert!(lost == 0, "load_icode with {left} free frames: {lost} frames are lost");
        if made.is_ok() {
            took = Some(left);
            break;
        }
    }
    assert!(
        took.is_some_and(|left| left > 7),
        "load_icode of 7 pages takes 7 frames and some tables, but says that {took:?} are enough"
    );
}
