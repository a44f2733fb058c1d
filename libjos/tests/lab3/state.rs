//! The state of all environments and frames, to see that a call which fails changes nothing.

use layout::MemLayout;
use libjos::env::abi::Env;
use libjos::env::{EnvIndex, TrapFrame};
use libjos::mem::addr::VirtAddr;
use libjos::mem::pages::{AllocFlags, Frame, PageAllocator};
use libjos::paging::format::Format;
use libjos::paging::mappings::Mapping;
use libjos::paging::vm::Vm;
use libjos::sim::SimMachine;
use libjos::sim::mmu::Mmu;
use libjos::sim::user::SimFrame;

use crate::rig::World;

/// No operation takes so many frames.
const MOST_FRAMES: usize = 40;

/// All that must not change: every environment but its registers, what it maps, every count.
pub(crate) struct State {
    envs: Vec<(EnvIndex, String, Vec<Mapping>)>,
    refs: Vec<u32>,
    nfree: usize,
}

/// Takes all free frames but `left`.
pub(crate) fn take<L: MemLayout, F: Format + Mmu>(
    vm: &mut Vm<SimMachine<L, F>>,
    left: usize,
) -> Vec<Frame> {
    let n = vm.pages().nfree().saturating_sub(left);
    (0..n).map(|_| vm.page_alloc(AllocFlags::empty()).unwrap()).collect()
}

/// Gives frames back that were taken.
pub(crate) fn give_back<L: MemLayout, F: Format + Mmu>(
    vm: &mut Vm<SimMachine<L, F>>,
    taken: Vec<Frame>,
) {
    // The first one taken comes first again.
    taken.into_iter().rev().for_each(|frame| vm.pages_mut().page_free(frame));
}

impl<L: MemLayout, F: Format + Mmu> World<L, F> {
    pub(crate) fn state(&self) -> State {
        let envs = self.envs.all().map(|(index, env)| {
            let env_tf = SimFrame::user(VirtAddr::new(0), VirtAddr::new(0));
            let env = Env { env_tf, env_runs: 0, ..env };
            (index, format!("{env:x?}"), self.pages(index))
        });
        let refs = self.pmap.pages().infos().map(|info| info.pp_ref()).collect();
        State { envs: envs.collect(), refs, nfree: self.nfree() }
    }

    /// Asserts that the state is as it was before `what`.
    pub(crate) fn assert_unchanged(&self, before: &State, what: &str) {
        let now = self.state();
        let number = |state: &State| state.envs.len();
        assert!(
            number(&now) == number(before),
            "after {what} nothing must have changed, but there are {} environments, and there were {}",
            number(&now),
            number(before)
        );
        for ((index, fields, pages), (_, old_fields, old_pages)) in
            now.envs.iter().zip(&before.envs)
        {
            let slot = index.number();
            assert!(
                fields == old_fields,
                "after {what} nothing must have changed, but envs[{slot}] is {fields}, and was {old_fields}"
            );
            assert!(
                pages == old_pages,
                "after {what} nothing must have changed, but envs[{slot}] maps {pages:x?}, and mapped {old_pages:x?}"
            );
        }
        for (frame, (pp_ref, old)) in (0..).zip(now.refs.iter().zip(&before.refs)) {
            let pa = self.pmap.pages().page2pa(Frame::new(frame));
            assert!(
                pp_ref == old,
                "after {what} nothing must have changed, but pp_ref of the frame at {pa} is {pp_ref}, and was {old}"
            );
        }
        assert!(
            now.nfree == before.nfree,
            "after {what} {} frames are free, and {} were: a frame is lost",
            now.nfree,
            before.nfree
        );
    }

    /// Does `operation` with no free frame, then with one, and so on, until it says that it has succeeded. Until then
    /// it must change nothing. Returns how many frames it took.
    pub(crate) fn with_little_memory(
        &mut self,
        what: &str,
        mut operation: impl FnMut(&mut Self) -> bool,
    ) -> usize {
        for left in 0..MOST_FRAMES {
            let before = self.state();
            let taken = take(&mut self.pmap, left);
            let succeeded = operation(self);
            give_back(&mut self.pmap, taken);
            if succeeded {
                return left;
            }
            self.assert_unchanged(&before, &format!("{what} with {left} free frames"));
        }
        panic!("{what} must succeed with {MOST_FRAMES} free frames, but does not");
    }
}
