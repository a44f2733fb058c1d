"""The graded tests of applications (kernel/examples): their whole output and their exit status."""

import re

import reading
from arch import ARCH, NX, UVPT
from gradelib import FAILURE, SUCCESS, Machine, Test
from words import CHECKS, MB, TRAPS, WELCOME, opening, page_fault, panic

# The bytes that heap asks for in vain; the address behind the first page of the first area.
EXHAUSTING, OVERRUN = (1 << 8 * ARCH.word) // 4 - 1, ARCH.areas + 0x1000
POISONED = (re.compile(r"pages=poison: filling \d+ free pages"),)
WENT_BACK = "leakcheck: every page went back"
NO_LEAKS = (re.compile(r"leakcheck: .*not.*"), re.compile(r"kernel panic .*"))
GREW = ("grew to 9/10 of the free memory and more: true; then:",
        "  memory allocation failed because the memory allocator returned an error")
HEAP = (
    'BTreeMap, Vec: [("the", 3), ("and", 1), ("brown", 1)]', 'Rc<Box<String>>: "   42", 2 owners',
    "Vec<u64>: 100000 numbers, the first 9999800001", *GREW, *GREW,
)
PAGES = (
    "alias: 42 at the other address; same frame: true, pp_ref 2",
    "alias: 42 when the first is gone, pp_ref 1",
    "guard: byte 0 is 0", "guard: byte 4096 faults, present: false", "guard: byte 8192 is 0",
    'protect: write faults, present: true; still "kept"',
    "lazy: [9, 1000000, 1002001, 2621439897600001] with 3 of 100000 pages",
    "snapshot: was [1, 2, 3, 4], is [1, 2, 33, 4], 1 page copied",
    f"sparse: 100 of {ARCH.sparse} pages, the sum of what they hold 4950",
)
LARGE = ARCH.map.form.span(1)
SHOWN = (
    # The root; below it a table for each of the window, UPAGES and the application's area; and so on.
    re.compile("tables by level: 1" + r" \+ \d" * ARCH.top_level),
    # With code and constants in one large page, that page and no other of the window is mapped by pages of 4 KB.
    re.compile(
        rf"pages of 4 KB: \d{{3,4}}, of {ARCH.size(LARGE)}: {(256 << 20) // LARGE - 1}"
        + (", of 1 GB: 0" if ARCH.top_level > 1 else "")
    ),
    "both writable and executable: 0" if ARCH.has(NX) else re.compile(r"both writable and executable: \d+"),
    re.compile(r' +\d\d KB in "heap and stack"'), '         32 KB in "kernel stack"', '        128 KB in "pages array"',
    '     262144 KB in "window on physical memory"',
    "the area's pages:",
    *(
        f"  {page}: {ARCH.perm(perm)} pp_ref 1, as translate says: true"
        for page, perm in enumerate(("-rw--", "-r---", "-rw--"))
    ),
    f"the directory maps itself: true, {ARCH.perm('ur---')}",
)
TOUR = (
    *(SHOWN if ARCH.has(UVPT) else ("no tables are shown: this machine has no UVPT",)),
    re.compile(r"frames: \d+ free, \d+ in use, \d+ reserved"), "as the allocator counts: true",
)


def boot(memory):
    """The kernel's output before it runs an application."""
    return (*opening(int(memory.removesuffix("M")) * MB), *CHECKS)


def tests():
    """All tests of applications."""

    def app(title, name, lines, words="leakcheck", status=SUCCESS, whole=True, memory="64M", **machine):
        if words.startswith("leakcheck") and status == SUCCESS:
            lines = (*lines, WENT_BACK)
        return Test(
            f"application: {title}", 5, Machine(name, memory, words=words, **machine), (*boot(memory), *lines),
            NO_LEAKS if status == SUCCESS else (), status, whole=whole, tags=("application",),
        )

    return [
        app("hello", "hello", ("Hello, world!",)),
        app("words on the command line", "hello", ("Hello, Ada  Lovelace!",), "leakcheck -- Ada  Lovelace"),
        app(
            "a line that is typed", "hello", ("Who is there? Grace Hopper", "Hello, Grace Hopper!"), "leakcheck -- ?",
            typed=("Grace Hopper\r",), prompt="Who is there? ",
        ),
        app("sieve", "sieve", ("78498 primes up to 1000000", "the last is 999983, their sum 37550402023")),
        app(
            "log level", "sieve",
            (
                re.compile(r"\[ +\d\.\d{6}\] INFO  sieve::primes: sieved in .*s"), "25 primes up to 100",
                "the last is 97, their sum 1060",
            ),
            "leakcheck log=info -- 100",
        ),
        app(
            "an error is a failure", "sieve", ('Error: "ten": invalid digit found in string', "Exit code 1"), "-- ten",
            FAILURE,
        ),
        app("heap", "heap", HEAP, memory="256M"),
        # Uses frames and tables above the window, through PHYSMAP.
        app("heap, beyond the window", "heap", HEAP, memory="300M"),
        app("heap that looks for misuse", "heap", HEAP, "leakcheck heap=poison"),
        app("heap, with pages that are watched", "heap", (*POISONED, *HEAP), "leakcheck pages=poison"),
        app(
            "out of memory is named", "heap",
            (
                *HEAP, panic(f"memory allocation of {EXHAUSTING} bytes failed")[0],
                re.compile(rf"The last allocation failed: out of memory: {EXHAUSTING} bytes asked for, 6\d{{7}} left"),
                "Backtrace:", re.compile(r"  #\d .* heap::main .*"),
            ),
            "-- exhaust", FAILURE, whole=False,
        ),
        app(
            "leakcheck finds a leak", "heap",
            (*HEAP, re.compile(r"leakcheck: \d+ pages did not go back; 100000 bytes of the heap are in use")),
            "leakcheck -- leak", FAILURE,
        ),
        # The monitor's alloc takes one page.
        Test(
            "application: leakcheck finds a leak of one page", 5,
            Machine(words="leakcheck", typed=("alloc\r", "exit\r")),
            (
                *CHECKS, *WELCOME, "K> alloc", re.compile("page 0x[0-9a-f]+000, pp_ref 1"), "K> exit",
                "leakcheck: 1 page did not go back; 0 bytes of the heap are in use",
            ),
            status=FAILURE, tags=("application",),
        ),
        *(
            Test(
                f"application: heap=poison names {title}", 5, Machine(words=f"heap=poison test=heap-{name}"),
                panic(f"heap: {text}", r"kernel/src/heap\.rs"),
                status=FAILURE, tags=("application",),
            )
            for name, title, text in (
                ("overrun", "an overrun", r"block (0x\w+) of 24 bytes was overrun: 0x\w+ was written"),
                ("double-free", "a double free", r"block 0x\w+ of 24 bytes is free already"),
                ("use-after-free", "a use after free", r"\d+ bytes at 0x\w+ were used after free: 0x\w+ was written"),
            )
        ),
        Test(
            "application: pages=poison names a use after free", 5,
            Machine(words="pages=poison test=page-use-after-free"),
            (re.compile(
                r"kernel panic at libjos/src/mem/pages/poison.rs:\S+ page 0x\w+ was used after it was freed: "
                r"0x1234 was written at offset 0x18"
            ), "Backtrace:"),
            status=FAILURE, tags=("application",),
        ),
        # Frames above the window are filled too.
        app("pages that are watched", "pages", (*POISONED, *PAGES), "leakcheck pages=poison", memory="300M"),
        Test(
            "application: the checks hold with pages=poison", 5,
            reading.read(Machine(memory="16M", words="pages=poison", typed=("checks\r", "exit\r")), again=True),
            (*boot("16M"), *POISONED, "K> checks", *CHECKS, "K> exit"), verdicts=reading.SUBJECTS,
            tags=("application",),
        ),
        app("pages", "pages", PAGES),
        app("pages, with every feature", "pages", PAGES, cpu=ARCH.strict),
        app(
            "a fault that nobody handles", "pages",
            (
                *PAGES,
                panic(
                    page_fault(f'write to {ARCH.address(OVERRUN)}: page not present, in "heap and stack"'), TRAPS,
                )[0],
                f"  {OVERRUN:#x} is not mapped: its entry of level 0 is empty", "Backtrace:",
                re.compile(r"  #\d .* pages::demo::main .*"),
            ),
            "-- overrun", FAILURE, whole=False,
        ),
        app(
            "bench", "bench",
            (
                re.compile(rf"Instructions, with frames for {ARCH.npages * 4 // 1024} MB; .*"),
                re.compile(r"page_init, a page +\d+\.\d .*"),
                re.compile(rf"page tables at the end, KB +{ARCH.tables * 4} .*"),
            ),
            "", whole=False, memory="256M",
        ),
        *(
            app(title, "tour", TOUR, cpu=cpu)
            for title, cpu in (("tour", ""), ("tour, kept off user pages", ARCH.strict)) if cpu or title == "tour"
        ),
    ]


TESTS = tests()
