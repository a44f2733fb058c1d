//! `alloc`, `free`, `insert`, `remove`, `setperm`, which change pages and mappings, and `checks`.
//! Without `-f` none of them can break the kernel.

use layout::MemLayout;

use super::arguments::Arguments;
use super::error::CommandError;
use super::explain::WalkEnd;
use super::held::MOST_HELD;
use super::session::Session;
use libjos::app::area::area_addresses;
use libjos::machine::Machine;
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::{ALLOC_ZERO, PageAllocator, PageInfo};
use libjos::paging::error::MapError;
use libjos::paging::format::{Format, Geometry, Perm};

impl<M: Machine> Session<'_, M> {
    /// `alloc [N]`: takes N pages of zeros off the free list.
    pub(super) fn alloc<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        let count = arguments.at_most_one()?.map_or(Ok(1), |text| self.value(text))?;
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
            self.pmap.pages_mut().page_incref(frame).map_err(MapError::from)?;
            self.held.replace(None, Some(frame));
            let pa = self.pmap.pages().page2pa(frame);
            writeln!(self.out, "page {pa}, pp_ref {}", self.pmap.pages().pp_ref(frame))?;
        }
        Ok(())
    }

    /// `free [-f] PA`: gives back a page that `alloc` gave out.
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
        self.check_changeable(va, arguments.force)?;
        // Other pages are the kernel's: mapping a page table gives it one use too many.
        let may_be_mapped = self.held.contains(frame) || self.pmap.pages().info(frame).is_free();
        if !may_be_mapped && !arguments.force {
            return Err(CommandError::NotHeld { pa: self.pmap.pages().page2pa(frame) });
        }
        let (vm, pgdir) = self.pmap.split();
        vm.page_insert(pgdir, frame, va, perm)?;
        let (pa, pp_ref) = (self.pmap.pages().page2pa(frame), self.pmap.pages().pp_ref(frame));
        let perm = perm | M::Format::ALWAYS;
        Ok(writeln!(self.out, "{va} -> {pa} {perm}, pp_ref {pp_ref}")?)
    }

    /// `remove [-f] VA`: unmaps the page of VA, by page_remove, and frees the tables that map
    /// nothing any more.
    pub(super) fn remove<'w>(&mut self, arguments: &Arguments<'w>) -> Result<(), CommandError<'w>> {
        let va = self.va(arguments.one()?)?.page_start();
        self.check_changeable(va, arguments.force)?;
        let (vm, pgdir) = self.pmap.split();
        let pa = vm.va2pa(pgdir, va).ok_or(MapError::NotMapped { va })?;
        vm.page_remove(pgdir, va)?;
        vm.prune(pgdir, va);
        write!(self.out, "{va} is not mapped any more")?;
        match self.pmap.pages().info_at(pa) {
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
        self.check_changeable(va, arguments.force)?;
        let perm = |session: &Self| match session.walk(va).end() {
            WalkEnd::Page { perm, .. } => Ok(perm),
            _ => Err(MapError::NotMapped { va }),
        };
        let old = perm(self)?;
        let new = change(old, permissions)?;
        let kept = M::Format::ALWAYS - new;
        if let Some((_, letter)) = Perm::LETTERS.into_iter().find(|known| kept.contains(known.0)) {
            return Err(CommandError::AlwaysGranted { letter });
        }
        let (vm, pgdir) = self.pmap.split();
        vm.protect_range(pgdir, va, layout::PGSIZE, new)?;
        // The page may have become copy-on-write rather than writable.
        Ok(writeln!(self.out, "{va}: {old} -> {}", perm(self)?)?)
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

    /// Makes sure that a mapping at `va` is neither the kernel's nor the application's, or may be changed by force.
    fn check_changeable<'w>(&self, va: VirtAddr, force: bool) -> Result<(), CommandError<'w>> {
        if !M::Format::is_canonical(va) {
            Err(MapError::NonCanonical { va }.into())
        } else if (M::Layout::UVPT..M::Layout::ULIM).contains(&va.as_u64()) {
            Err(MapError::Uvpt { va }.into())
        } else if va.as_u64() >= M::Layout::UTOP && !force {
            Err(CommandError::KernelPart { va })
        } else if self.is_of_the_application(va) && !force {
            Err(CommandError::ApplicationsPage { va })
        } else {
            Ok(())
        }
    }

    /// Whether a page is mapped at `va` that belongs to the application's heap or to an area of its: `alloc` has not given
    /// it out.
    fn is_of_the_application(&self, va: VirtAddr) -> bool {
        let addresses = M::Layout::UHEAP..area_addresses::<M::Layout>().end;
        let WalkEnd::Page { pa, .. } = self.walk(va).end() else { return false };
        let is_held = self.pmap.pages().pa2page(pa).is_some_and(|frame| self.held.contains(frame));
        addresses.contains(&va.as_u64()) && !is_held
    }
}

/// `perm` with the permissions that each of `words` gives (`+w`) or takes away (`-w`). Several
/// letters may follow one sign.
fn change<'w>(mut perm: Perm, words: &[&'w str]) -> Result<Perm, CommandError<'w>> {
    for word in words {
        let bad = CommandError::BadWord { word, wanted: "+ or - and letters of r, w, x, u, g" };
        let (give, letters) = match word.split_at_checked(1) {
            Some((sign @ ("+" | "-"), letters)) if !letters.is_empty() => (sign == "+", letters),
            _ => return Err(bad),
        };
        for letter in letters.chars() {
            let found = Perm::LETTERS.into_iter().find(|known| known.1 == letter);
            perm.set(found.ok_or(bad)?.0, give);
        }
    }
    Ok(perm)
}

#[cfg(test)]
mod tests;
