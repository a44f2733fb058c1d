//! Address spaces and user memory on every format: the kernel's half shared, memory grown, shrunk,
//! copied and copied on write, bytes carried over page boundaries; errors that change nothing;
//! nothing lost, and no stale translation.

mod rig;

mod bytes;
mod cow;
mod directories;
mod global;
mod lives;
mod memory;
mod print;
mod unmapping;
mod values;
mod window;

/// One of each kind, for Miri.
#[cfg(miri)]
#[test]
fn one_of_each_kind() {
    cow::a_write_on_either_side_stays_there::<layout::Jos64, libjos::paging::format::x86_64::X86_64>(
    );
    memory::sbrk_moves_the_end::<layout::Jos64, libjos::paging::format::x86_64::X86_64>();
}
