//! `check_envs`: the proof that UENVS shows the environments' array, read-only.

use layout::MemLayout;

use crate::check::Checks;
use crate::check::answer::Answer;
use crate::machine::Machine;
use crate::mem::pages::PageInfo;
use crate::paging::format::Perm;

impl<M: Machine> Checks<'_, M> {
    /// Proves that programs see the environments at UENVS and cannot change them, and that the array's
    /// frames are in use once.
    ///
    /// # Panics
    ///
    /// If it is not so, with the address or the frame.
    #[cfg_attr(debug_assertions, inline(never))]
    pub fn check_envs(&mut self) {
        self.check_uenvs();
        for pa in self.envs.pages() {
            let info = self.vm.pages().info_at(pa);
            assert!(
                info == Some(PageInfo::in_use(1)),
                "check_envs: page {pa} of the environments must be in use once, but is {}",
                info.words()
            );
        }
        self.vm.machine_mut().print(format_args!("check_envs() succeeded!\n"));
    }

    /// Checks that UENVS shows the environments. Returns where they end.
    pub(super) fn check_uenvs(&self) -> u64 {
        let uenvs = M::Layout::UENVS;
        let end = uenvs + self.envs.size();
        if end > uenvs {
            self.assert_mapped("UENVS", uenvs, end - 1, self.envs.start, Perm::UR);
        }
        end
    }
}
