"""The `jos` commands of gdb, by subject; ../jos.py registers them.

    facts      what the Rust sources say about map, page-table format and PageInfo (obj/ARCH/facts.json)
    paging     page tables: walks, and all that is mapped
    pages      the array `pages` and the free list
    snapshot   tables and counts at one moment, and how two moments differ
    fault      a page fault in a sentence
    start      gdb: connecting to the machine that waits, and its kernel's symbols
    machine    gdb: registers and physical memory of the machine in QEMU
    kernel     gdb: where the kernel keeps `kern_pgdir` and `pages`
    values     gdb: what users type as addresses
    stops      gdb: a snapshot at every stop
    command    gdb: what a command is
    tables     gdb: walk, map, layout
    frames     gdb: page, freelist
    events     gdb: diff, why
    traps      gdb: a trap as the kernel's stub saved it
    unwind     gdb: backtraces through traps
    steps      gdb: step
    printers   gdb: pretty printers
"""
