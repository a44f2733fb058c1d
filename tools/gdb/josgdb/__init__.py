"""The `jos` commands of gdb, by subject; ../jos.py registers them.

    facts      what the Rust sources say about map, page-table format and PageInfo (obj/ARCH/facts.json)
    paging     page tables: walks, and all that is mapped
    pages      the array `pages` and the free list
    snapshot   tables and counts at one moment, and how two moments differ
    fault      a page fault in a sentence
    start      gdb: connecting to the machine that waits, and its kernel's symbols
    machine    gdb: registers and physical memory of the machine in QEMU
    kernel     gdb: where the kernel keeps `kern_pgdir` and `pages`
    envs       gdb: the array `envs`
    programs   gdb: the files of programs in ring 3, and their symbols
    values     gdb: what users type as addresses
    context    gdb: the facts of the machine that gdb is set to
    stops      gdb: a snapshot at every stop
    command    gdb: what a command is
    tables     gdb: walk, map, layout
    frames     gdb: page, freelist
    environments  gdb: env, program; which environment runs, at stops and in backtraces
    events     gdb: diff, why
    traps      gdb: a trap as the kernel's stub saved it
    unwind     gdb: backtraces through traps
    steps      gdb: step
    printers   gdb: pretty printers
"""
