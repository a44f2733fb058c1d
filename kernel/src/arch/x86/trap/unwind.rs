//! Debugging information by which gdb's backtraces go on from the kernel into the program: where a stub has left the
//! registers.

/// The call of a handler of programs' traps, described to gdb: all registers of the program lie at fixed places below
/// an address, which is `$size` bytes above the one in the register `$base`.
///
/// `$rules` are a byte for each register's number, with 0x80 added, and one for its distance in words. The description is
/// of a signal frame, the letter S: gdb would otherwise take the program's stack, which lies lower, for a broken chain.
/// (DWARF 4, sections 6.4.1, 7.23 and figure 40. The assembler's own directives leave out that letter.)
macro_rules! described_call {
    (
        $call:literal,
        word: $word:literal $quad:literal, program_counter: $pc:literal, base: $base:literal, size: $size:literal,
        rules: $rules:literal
    ) => {
        concat!(
            "771: ",
            $call,
            "\n",
            "772:\n",
            ".pushsection .debug_frame, \"\", @progbits\n",
            "773: .long 775f - 774f\n", // a CIE, what several calls have in common
            "774: .long 0xffffffff\n",
            ".byte 1\n", // version
            ".asciz \"S\"\n",
            ".uleb128 1\n",
            ".sleb128 -",
            $word,
            "\n",
            ".byte ",
            $pc,
            "\n",
            ".byte ",
            $rules,
            "\n",
            ".balign ",
            $word,
            ", 0\n",
            "775: .long 777f - 776f\n", // an FDE, one call
            "776: .long 773b\n",
            $quad,
            " 771b, 772b + 1 - 771b\n", // gdb looks for the address after the call
            ".byte 0x0c, ",
            $base,
            "\n", // DW_CFA_def_cfa
            ".uleb128 ",
            $size,
            "\n",
            ".balign ",
            $word,
            ", 0\n",
            "777:\n",
            ".popsection",
        )
    };
}
pub(in crate::arch) use described_call;
