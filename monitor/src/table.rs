//! [`COMMANDS`]: the table of commands, of which `help` and `docs/monitor.md` are made.

use super::commands::{Command, KernelCommand, MemoryCommand, Verb};

/// All commands, in the order in which `help` lists them.
pub const COMMANDS: &[Command] = &[
    Command {
        verb: Verb::Kernel(KernelCommand::Help),
        usage: "help [COMMAND]",
        summary: "Display this list of commands, or all about one",
        details: &["Lists the commands, or says all there is to know about COMMAND."],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Kerninfo),
        usage: "kerninfo",
        summary: "Display information about the kernel",
        details: &[
            "Where the kernel's parts are, virtual and physical, and how large; how it was",
            "started, and with which command line; the processor and what it can do.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Backtrace),
        usage: "backtrace",
        summary: "Display the calls that led here",
        details: &[
            "The chain of frame pointers from here up, each call with its function, file",
            "and line. A call that the compiler put into another function is marked",
            "(inlined).",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Showmappings),
        usage: "showmappings [-e ID] LO [HI]",
        summary: "Display what the pages from LO to HI lead to",
        details: &[
            "From the page of LO to the page of HI, both included; HI is LO unless it is",
            "given. A line for each run of pages that go on in both address spaces with the",
            "same permissions: virtual addresses, the physical one where the run begins,",
            "permissions (u user, r read, w write, x execute, g global), bytes, and the",
            "size of its pages. If the machine cannot withhold x, the last line says so.",
            "With -e, in the page directory of environment ID.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Setperm),
        usage: "setperm [-f] VA +w -u ...",
        summary: "Change the permissions of the page of VA",
        details: &[
            "Each word gives (+) or takes away (-) permissions: u user, w write, x execute,",
            "g global (from UTOP up alone, where all address spaces are the same). Others",
            "stay. From UTOP up, in the kernel's part, and for a page of the application's",
            "heap or areas, it takes -f and may break the kernel. A part of a large page is",
            "split off first.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Dump),
        usage: "dump [-p|-e ID] ADDRESS [N]",
        summary: "Display N bytes of memory (64)",
        details: &[
            "In hexadecimal and as text. ADDRESS is a virtual one or, with -p, a physical",
            "one. Gaps in the mapping are shown. Only RAM is read: devices are left alone.",
            "With -e, a virtual address is environment ID's.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Translate),
        usage: "translate [-e ID] VA",
        summary: "Display the walk of VA, level by level",
        details: &[
            "The bits of VA, boxed by what they pick; then each entry on the way, with the",
            "table that it is in, its index and its value, and what it leads to or why it",
            "stops. With -e, in the page directory of environment ID.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Vmprint),
        usage: "vmprint [[-e] ID]",
        summary: "Display every entry of the page tables",
        details: &[
            "As xv6 prints them: a line for each entry that is present, indented by dots for",
            "each level. `map` and `showmappings` say the same in fewer lines. With ID, those",
            "of this environment below UTOP; the others are the kernel's.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Map),
        usage: "map [[-e] ID]",
        summary: "Display the memory map, and what is mapped in it",
        details: &[
            "Each region with what kernel/user may do there, and below it every run of",
            "pages that is mapped. W marks writable pages, X executable ones, ! those that",
            "the memory map does not allow there. With ID, in the page directory of this",
            "environment.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Cr),
        usage: "cr",
        summary: "Display the control registers, bit by bit",
        details: &[
            "Each bit with its value and what it does: CR0 to CR4 on a PC (on x86-64 CR8 and",
            "EFER too), on RISC-V sstatus, satp, stvec, sie, sepc, scause and stval.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Memmap),
        usage: "memmap",
        summary: "Display the loader's memory map, what became of it",
        details: &["The entries as the loader gave them; then who has the memory now."],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Pages),
        usage: "pages [PA]",
        summary: "Count the pages by state, or display the one of PA",
        details: &["For one page: its PageInfo, its owner, and every mapping of it."],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Freelist),
        usage: "freelist [N]",
        summary: "Display the first N runs of page_free_list (16)",
        details: &["In the order in which page_alloc hands pages out."],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Alloc),
        usage: "alloc [N]",
        summary: "Allocate N pages (1)",
        details: &["By page_alloc, with zeros. `free` gives them back."],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Free),
        usage: "free [-f] PA",
        summary: "Free the page of PA",
        details: &[
            "PA is in a page that `alloc` gave out. A page that is mapped too stays in use",
            "until it is removed there. With -f it is any page in use: the kernel may break.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Insert),
        usage: "insert [-f] VA PA [+w ...]",
        summary: "Map the page of VA to the page of PA",
        details: &[
            "By page_insert: what was mapped there is unmapped. Permissions are given as to",
            "setperm; without them the page can only be read. A page that `alloc` did not",
            "give out takes -f, and so does an address from UTOP up, or one where the",
            "application's heap or an area has a page.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Remove),
        usage: "remove [-f] VA",
        summary: "Unmap the page of VA",
        details: &[
            "By page_remove; page tables that map nothing any more are freed. From UTOP up,",
            "and for a page of the application's heap or areas, it takes -f.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Checks),
        usage: "checks [-f]",
        summary: "Run all of mem_init's checks again",
        details: &[
            "A check that fails is a panic. check_kern_pgdir fails where the application's",
            "part is not empty, so `checks` does not begin then, unless -f is given.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Run),
        usage: "run [PROGRAM [&]]",
        summary: "Run a program in an environment, or list programs",
        details: &[
            "Makes an environment of PROGRAM, one of the loader's modules or of the kernel's",
            "image, and runs environments until none can run. Ctrl-C stops them where they",
            "are, and so does a breakpoint; `continue` goes on. All environments stop and go",
            "on together.",
            "With &, they run in the background, while the prompt waits. Keys are the",
            "monitor's then, and Ctrl-C stops the programs, too. If several lines are typed",
            "at once, the programs run when the last one is done.",
            "Without PROGRAM, all programs are listed.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Continue),
        usage: "continue [&]",
        summary: "Go on with the environments that have stopped",
        details: &[
            "After Ctrl-C, a breakpoint or `si`: first the one that ran. Until none can run;",
            "with & in the background, as `run` does.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Continue),
        usage: "c [&]",
        summary: "Go on: a short word for `continue`",
        details: &["As `continue`."],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Step),
        usage: "si",
        summary: "Run one instruction of the stopped environment",
        details: &[
            "Then displays its registers. A system call and the instruction after it count",
            "as one; if the call waits, other environments run meanwhile.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Envs),
        usage: "envs",
        summary: "Display the environments",
        details: &[
            "For each one: its id and its parent's, its status, how often it was switched",
            "to, the pages below UTOP that it maps, its program, and the address at which it",
            "goes on; recv behind it says that it waits for a message.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Env),
        usage: "env ID",
        summary: "Display an environment, its memory, who shares it",
        details: &[
            "ID is as `envs` shows it: hexadecimal, 0x before it or not. Shows all that",
            "the kernel knows of it; its registers; the runs of pages that it maps, as",
            "`showmappings` has them; and each page whose frame is mapped elsewhere too, by",
            "this environment, another one or the kernel.",
        ],
    },
    Command {
        verb: Verb::Memory(MemoryCommand::Kill),
        usage: "kill ID",
        summary: "End an environment",
        details: &["Its memory is free then. ID is as `envs` shows it."],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Fault),
        usage: "fault [NAME]",
        summary: "Commit a deliberate fault, which ends everything",
        details: &["NAME is as in test=NAME on the command line; without it, they are listed."],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Uptime),
        usage: "uptime",
        summary: "Display the time since the kernel began",
        details: &[
            "By the processor's counter. Its rate is what a hypervisor, the processor or the",
            "device tree states, or else what the timer chip of a PC (8254) measures.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Page),
        usage: "page [on|off|auto]",
        summary: "Say whether long output waits after each screen",
        details: &[
            "auto, as at the start: output waits if the command came from the keyboard,",
            "because the screen forgets what scrolls off; a terminal on the serial line",
            "keeps it. At -- more -- the space bar shows another screen, Enter another line,",
            "q no more.",
        ],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Clear),
        usage: "clear",
        summary: "Clear the screen",
        details: &["As Ctrl-L does."],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Reboot),
        usage: "reboot",
        summary: "Reset the machine",
        details: &["Under `make qemu` and `make qemu-nox` a reset ends QEMU."],
    },
    Command {
        verb: Verb::Kernel(KernelCommand::Exit),
        usage: "exit [CODE]",
        summary: "Leave QEMU; a CODE other than 0 is a failure",
        details: &[
            "CODE is a number up to 255. QEMU's status is 33 for success and 35 for a",
            "failure.",
        ],
    },
];
