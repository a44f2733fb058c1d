//! `alloc`, `free`, `insert`, `remove`, `setperm`, `checks`: playing with pages, and whether all is
//! well. Without `-f` none of them can break the kernel.

use layout::MemLayout;

use super::{Arguments, CommandError, Session};
use crate::machine::Machine;
use crate::mem::addr::VirtAddr;
use crate::mem::pages::{ALLOC_ZERO, Frame, PageAllocator, PageInfo};
use crate::paging::format::{Entry, Format, Geometry, Leaf, Perm};
use crate::paging::mappings::steps;
use crate::paging::pgdir::MapError;
use crate::pmap::Pmap;

/// Pages that `alloc` gives out at most.
const MOST_HELD: usize = 64;

/// The pages that `alloc` gave out. Each is counted in its `pp_ref` until `free` takes it back.
#[derive(Clone, Debug)]
pub struct Held {
    frames: [Option<Frame>; MOST_HELD],
}

impl Default for Held {
    fn default() -> Self {
        Self::new()
    }
}

impl Held {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { frames: [None; MOST_HELD] }
    }

    /// Whether `frame` is one of them.
    #[must_use]
    pub fn contains(&self, frame: Frame) -> bool {
        self.frames.contains(&Some(frame))
    }

    /// How many more there may be.
    fn room(&self) -> usize {
        self.frames.iter().filter(|slot| slot.is_none()).count()
    }

    /// Puts `new` in the place of `old`, if there is one such.
    fn replace(&mut self, old: Option<Frame>, new: Option<Frame>) -> bool {
        let slot = self.frames.iter_mut().find(|slot| **slot == old);
        slot.map(|slot| *slot = new).is_some()
    }
}

impl<M: Machine> Session<'_, M> {
    /// `alloc [N]`: takes N pages of zeros off the free list.
    pub(super) fn alloc<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        let count = match arguments.at_most_one()? {
            None => 1,
            Some(text) => self.value(text)?,
        };
        let room = self.held.room();
        if count > room as u64 {
            return Err(CommandError::TooManyHeld { most: MOST_HELD, room });
        }
        let free = self.pmap.pages().nfree();
        if count > free as u64 {
            return Err(CommandError::OutOfMemory { asked: count, free });
        }
        for _ in 0..count {
            let Some(frame) = self.pmap.page_alloc(ALLOC_ZERO) else { break };
            self.pmap.pages_mut().page_incref(frame)?;
            self.held.replace(None, Some(frame));
            let pa = self.pmap.pages().page2pa(frame);
            writeln!(self.out, "page {pa}, pp_ref {}", self.pmap.pages().pp_ref(frame))?;
        }
        Ok(())
    }

    /// `free [-f] PA`: gives a page back that `alloc` gave out.
    pub(super) fn free<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        let frame = self.frame(arguments.one()?)?;
        let pa = self.pmap.pages().page2pa(frame);
        if !self.held.replace(Some(frame), None) {
            let info = self.pmap.pages().info(frame);
            if !arguments.force {
                return Err(CommandError::NotHeld { pa });
            }
            if info.pp_link != PageInfo::IN_USE || info.pp_ref() == 0 {
                self.pmap.pages_mut().try_page_free(frame)?;
                return Ok(writeln!(self.out, "page {pa} is free")?);
            }
        }
        self.pmap.pages_mut().page_decref(frame);
        match self.pmap.pages().info(frame) {
            info if info.is_free() => writeln!(self.out, "page {pa} is free")?,
            info => writeln!(self.out, "page {pa} is still mapped: pp_ref {}", info.pp_ref())?,
        }
        Ok(())
    }

    /// `insert [-f] VA PA [PERMISSION...]`: maps the page of VA to the page of PA, by page_insert.
    pub(super) fn insert<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        let [va, pa, permissions @ ..] = arguments.words() else {
            return Err(CommandError::Missing);
        };
        let (va, frame) = (self.va(va)?.page_start(), self.frame(pa)?);
        let perm = change(Perm::R, permissions)?;
        self.check_changeable::<M::Layout>(va, arguments.force)?;
        // Others are the kernel's: a page table that is mapped has one use too many.
        let may_be_mapped = self.held.contains(frame) || self.pmap.pages().info(frame).is_free();
        if !may_be_mapped && !arguments.force {
            return Err(CommandError::NotHeld { pa: self.pmap.pages().page2pa(frame) });
        }
        let (vm, pgdir) = self.pmap.split();
        vm.page_insert(pgdir, frame, va, perm)?;
        let (pa, pp_ref) = (self.pmap.pages().page2pa(frame), self.pmap.pages().pp_ref(frame));
        Ok(writeln!(self.out, "{va} -> {pa} {perm}, pp_ref {pp_ref}")?)
    }

    /// `remove [-f] VA`: unmaps the page of VA, by page_remove, and frees the tables that map
    /// nothing any more.
    pub(super) fn remove<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        let va = self.va(arguments.one()?)?.page_start();
        self.check_changeable::<M::Layout>(va, arguments.force)?;
        let (vm, pgdir) = self.pmap.split();
        let pa = vm.va2pa(pgdir, va).ok_or(MapError::NotMapped { va })?;
        vm.page_remove(pgdir, va)?;
        vm.prune(pgdir, va);
        write!(self.out, "{va} is not mapped any more")?;
        match self.pmap.pages().pa2page(pa).map(|frame| self.pmap.pages().info(frame)) {
            Some(info) if info.is_free() => writeln!(self.out, "; page {pa} is free")?,
            Some(info) => writeln!(self.out, "; page {pa} has pp_ref {}", info.pp_ref())?,
            None => writeln!(self.out)?,
        }
        Ok(())
    }

    /// `setperm [-f] VA PERMISSION...`: changes the permissions of the page of VA.
    pub(super) fn setperm<'w>(
        &mut self,
        arguments: &Arguments<'w>,
    ) -> Result<(), CommandError<'w>> {
        let [va, permissions @ ..] = arguments.words() else { return Err(CommandError::Missing) };
        let va = self.va(va)?.page_start();
        if permissions.is_empty() {
            return Err(CommandError::Missing);
        }
        change(Perm::R, permissions)?;
        self.check_changeable::<M::Layout>(va, arguments.force)?;
        let entry = |pmap: &Pmap<M>| {
            let root = pmap.kern_pgdir().address();
            steps::<M::Format, M>(pmap.machine(), root, va).last().map(|step| step.entry)
        };
        let old = match entry(self.pmap) {
            Some(Entry::Leaf(leaf)) => leaf.perm,
            _ => return Err(MapError::NotMapped { va }.into()),
        };
        let new = change(old, permissions)?;
        if let Some((_, letter)) = LETTERS
            .into_iter()
            .find(|(perm, _)| M::Format::ALWAYS.contains(*perm) && !new.contains(*perm))
        {
            return Err(CommandError::AlwaysGranted { letter });
        }
        let (vm, pgdir) = self.pmap.split();
        vm.protect_range(pgdir, va, layout::PGSIZE, new)?;
        // Which may be copy-on-write in place of writable.
        let Some(Entry::Leaf(Leaf { perm, .. })) = entry(self.pmap) else {
            return Err(MapError::NotMapped { va }.into());
        };
        Ok(writeln!(self.out, "{va}: {old} -> {perm}")?)
    }

    /// `checks [-f]`: all of `mem_init`'s checks, in its order. One that fails panics.
    pub(super) fn checks<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        arguments.none()?;
        if let (Some(va), false) = (self.application_mapping(), arguments.force) {
            return Err(CommandError::InTheWay { va });
        }
        let pmap = &mut *self.pmap;
        pmap.checks().check_page_free_list();
        pmap.checks().check_page_alloc();
        pmap.checks().check_page();
        pmap.checks().check_kern_pgdir();
        pmap.checks().check_page_free_list();
        pmap.checks().check_page_installed_pgdir();
        Ok(())
    }

    /// A mapping at `va` is the user's to change, or may be changed by force.
    fn check_changeable<'w, L: MemLayout>(
        &self,
        va: VirtAddr,
        force: bool,
    ) -> Result<(), CommandError<'w>> {
        let is_uvpt = (L::UVPT..L::ULIM).contains(&va.as_u64());
        if !M::Format::is_canonical(va) {
            Err(MapError::NonCanonical { va }.into())
        } else if is_uvpt {
            Err(MapError::Uvpt { va }.into())
        } else if va.as_u64() >= L::UTOP && !force {
            Err(CommandError::KernelPart { va })
        } else {
            Ok(())
        }
    }
}

/// The letters of permissions.
const LETTERS: [(Perm, char); 5] =
    [(Perm::R, 'r'), (Perm::W, 'w'), (Perm::X, 'x'), (Perm::U, 'u'), (Perm::G, 'g')];

/// `perm` with what each of `words` gives (`+w`) or takes away (`-w`); several letters may follow
/// one sign.
fn change<'w>(mut perm: Perm, words: &[&'w str]) -> Result<Perm, CommandError<'w>> {
    for word in words {
        let bad = CommandError::BadWord { word, wanted: "+ or - and letters of r, w, x, u, g" };
        let mut letters = word.chars();
        let give = match letters.next() {
            Some('+') => true,
            Some('-') => false,
            _ => return Err(bad),
        };
        if word.len() < 2 {
            return Err(bad);
        }
        for letter in letters {
            let found = LETTERS.into_iter().find(|(_, known)| *known == letter);
            perm.set(found.ok_or(bad)?.0, give);
        }
    }
    Ok(perm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_given_and_taken() {
        assert_eq!(change(Perm::R, &["+w", "+u"]), Ok(Perm::URW));
        assert_eq!(change(Perm::URW, &["-uw"]), Ok(Perm::R));
        assert_eq!(change(Perm::R, &["+w", "-w"]), Ok(Perm::R));
        for bad in ["-r+w", "", "w", "+", "-", "+q", "+W", "+ä", "\u{1F980}"] {
            let error = change(Perm::R, &["+w", bad]);
            assert!(
                matches!(error, Err(CommandError::BadWord { word, .. }) if word == bad),
                "{bad}"
            );
        }
    }
}
