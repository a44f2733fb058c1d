//! Who shares an environment's frames: other environments, the kernel, or the environment itself at another
//! address.

use layout::PGSIZE;

use super::error::CommandError;
use super::session::Session;
use libjos::env::abi::EnvId;
use libjos::machine::Machine;
use libjos::mem::addr::{PhysAddr, VirtAddr};
use libjos::paging::format::Geometry;

/// The sharers of a frame that are named.
const NAMED: usize = 4;

/// Another page that leads to a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sharer {
    /// The environment; [`EnvId::NONE`] is the kernel.
    env: EnvId,
    va: VirtAddr,
}

/// Pages of an environment, one after the other, whose frames have the same sharers.
#[derive(Clone, Copy, Debug)]
struct SharedRun {
    first: VirtAddr,
    last: VirtAddr,
    /// The first ones. Their addresses are those of the run's last page.
    named: [Option<Sharer>; NAMED],
    /// How many other pages lead to each frame.
    count: usize,
    pp_ref: usize,
}

impl SharedRun {
    /// Takes `next` in if it goes on where this ends, for the same sharers.
    fn merge(&mut self, next: &Self) -> bool {
        let moved = self.named.map(|sharer| sharer.map(|s| Sharer { va: s.va + PGSIZE, ..s }));
        let follows = self.last + 1 == next.first
            && (moved, self.count, self.pp_ref) == (next.named, next.count, next.pp_ref);
        if follows {
            (self.last, self.named) = (next.last, next.named);
        }
        follows
    }
}

impl<M: Machine> Session<'_, M> {
    /// The pages of the environment whose directory is at `root` that lead to a frame with other uses, and these.
    pub(super) fn sharing<'w>(&mut self, root: PhysAddr) -> Result<(), CommandError<'w>> {
        writeln!(self.out, "Frames with other uses (pp_ref above 1):")?;
        let (mut run, mut any) = (None::<SharedRun>, false);
        let mut next = VirtAddr::new(0);
        loop {
            let Some(page) = self.user_pages_from(root, next).next() else { break };
            next = page.va + page.size;
            let Some(shared) = self.shared(root, page.va, page.pa) else { continue };
            any = true;
            if !run.as_mut().is_some_and(|run| run.merge(&shared)) {
                self.write_shared(run)?;
                run = Some(shared);
            }
        }
        self.write_shared(run)?;
        if !any {
            writeln!(self.out, "  none")?;
        }
        Ok(())
    }

    /// The page at `va` that leads to the frame at `pa`, if that has other uses.
    fn shared(&self, root: PhysAddr, va: VirtAddr, pa: PhysAddr) -> Option<SharedRun> {
        let pp_ref = self.pmap.pages().pp_ref(self.pmap.pages().pa2page(pa)?) as usize;
        if pp_ref < 2 {
            return None;
        }
        let (mut named, mut count) = ([None; NAMED], 0);
        for (env, directory) in self.directories() {
            for page in self.user_pages(directory) {
                let is_other = (directory, page.va) != (root, va);
                if is_other && page.range().contains(pa) {
                    if let Some(place) = named.get_mut(count) {
                        *place = Some(Sharer { env, va: page.va + (pa - page.pa) });
                    }
                    count += 1;
                }
            }
        }
        Some(SharedRun { first: va, last: va + (PGSIZE - 1), named, count, pp_ref })
    }

    /// Writes a run, a line for it and one for each sharer.
    fn write_shared<'w>(&mut self, run: Option<SharedRun>) -> Result<(), CommandError<'w>> {
        let Some(SharedRun { first, last, named, count, pp_ref }) = run else { return Ok(()) };
        let width = M::Format::ADDRESS_COLUMNS;
        let (from, to) = (first.as_u64(), last.as_u64());
        writeln!(self.out, "  {from:#0width$x}-{to:#0width$x} pp_ref {pp_ref}")?;
        let size = to - from + 1;
        for Sharer { env, va } in named.into_iter().flatten() {
            let start = va.as_u64() + PGSIZE - size;
            self.out.write_str("    ")?;
            match env {
                EnvId::NONE => write!(self.out, "kernel  ")?,
                env => write!(self.out, "{env}")?,
            }
            match start == from {
                true => writeln!(self.out, " at the same address")?,
                false => writeln!(self.out, " at {start:#0width$x}")?,
            }
        }
        if count > NAMED {
            writeln!(self.out, "    and {} more pages", count - NAMED)?;
        }
        let unknown = pp_ref.saturating_sub(1 + count);
        if unknown > 0 {
            writeln!(self.out, "    {unknown} by no page (as those that `alloc` gave out)")?;
        }
        Ok(())
    }
}
