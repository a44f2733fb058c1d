//! The operations on a `TrapFrame` that PCs share. Each machine has a structure of its own, whose fields have the names that
//! gdb's users know.

/// Defines the operations, with a machine's names of the fields and of the flags' register.
macro_rules! operations {
    ($ip:ident, $flags:ident, $register:ident, $bp:ident, $ax:ident, $cx:ident, $dx:ident) => {
        impl TrapFrame {
            /// The exception's vector.
            pub(in crate::arch) fn vector(&self) -> u64 {
                self.vector.into()
            }

            /// The processor's error code; 0 if the exception has none.
            pub(in crate::arch) fn error(&self) -> u64 {
                self.error.into()
            }

            /// The address of the interrupted instruction.
            pub(in crate::arch) fn instruction(&self) -> u64 {
                self.$ip.into()
            }

            /// The frame pointer of the interrupted function.
            pub(in crate::arch) fn frame_pointer(&self) -> u64 {
                self.$bp.into()
            }

            /// The flags, and the register that holds them.
            pub(in crate::arch) fn flags(&self) -> (&'static Register, u64) {
                (&$register, self.$flags.into())
            }

            /// The address that a probe was called with.
            pub(in crate::arch) fn probed_address(&self) -> u64 {
                self.$cx.into()
            }

            /// Makes a probe return `words` by the code at `instruction`.
            pub(in crate::arch) fn return_words(&mut self, words: [usize; 2], instruction: usize) {
                self.$ax = words[0] as _;
                self.$dx = words[1] as _;
                self.$ip = instruction as _;
            }

            /// Takes back the leave to access user pages (Intel SDM vol. 3A, 4.6.1).
            pub(in crate::arch) fn forbid_user_access(&mut self) {
                self.$flags &= !(RFlags::ALIGNMENT_CHECK.bits() as EntryWord);
            }

            /// Makes the processor trap after the next instruction, or not (Intel SDM vol. 3B, 17.3.1.4).
            pub(in crate::arch) fn step(&mut self, on: bool) {
                let flag = RFlags::TRAP_FLAG.bits() as EntryWord;
                self.$flags = self.$flags & !flag | if on { flag } else { 0 };
            }
        }
    };
}
pub(in crate::arch) use operations;
