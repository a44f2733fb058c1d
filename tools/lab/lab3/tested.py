"""What the tests of the lab expect of lab 3 (tools/lab/test_lab.py, test_autograder.py)."""

import envdoctests

# Exercise -> those whose functions its tests reach, beside its own (libjos/tests/lab3/main.rs).
CALL = {1, 2, 6, 9}
NEEDS = {1: {}, 2: {1}, 3: {2}, 4: {2, 3}, 5: {1, 2, 3, 4}, 6: {1, 2}, 7: {2}, 8: {1, 2, 7}, 9: {1, 2, 6, 7, 8},
         **dict.fromkeys(range(10, 16), CALL), 16: {1, 2, 6, 7, 8, 10}, 17: CALL, 18: CALL}

# Names of the engine's own bodies, of which nothing may be handed out.
ENGINE = ("run_and_follow", "slow_leaf", "user_access_slow", "shared_page", "RunQueue", "run_queue")
# Lines of an answer that nothing handed out may have.
TELLING = r"\b(page_insert|page_remove|page_alloc|store|env_status =|env_runs|redirect|set_result)\b"

# The first words of a kernel without bodies, with this command line.
WORDS = "run=hello"
AT_FIRST = r"kernel panic at libjos/src/env/table.rs:\d+:\d+: exercise 1: not yet implemented"

# What the quick tests leave out, and how many bodies they put in.
LEFT_OUT, STEPS = (8,), (0, 10, 18)

# The folder of the exercises' tests.
TESTS = "libjos/tests/lab3"

# Of the autograder: a file, an exercise in it, a line of its answer, a call of the engine's own that it may not make, and
# an exercise that does not depend on it.
FILE = "libjos/src/env/pages.rs"
EXERCISE = "Exercise 13: sys_page_alloc"
LINE = "let frame = vm.page_alloc(ALLOC_ZERO).ok_or(Error::NoMem)?;"
SHORT_CUT = "self.slots.get_mut(index).space_mut().uvmalloc(vm, 0, PGSIZE, perm)"
OTHER = "Exercise 3: region_alloc"

# Program -> the exercises that its test in QEMU reaches. Every program is loaded, run, and asks for its id. The timer may come
# in any.
LOADED, PRINTS, FAULTS, FORKS, MESSAGES = {*range(1, 7), 9, 10, 11}, {7, 8}, {16}, {12, 13, 14, 15}, {17, 18}
TRAPS = ("divzero", "softint", "badsegment", "breakpoint", "faultread", "faultwritekernel")
NEEDS_IN_QEMU = {
    **dict.fromkeys(("hello", "buggyhello", "evilhello", "testbss"), LOADED | PRINTS),
    **dict.fromkeys(TRAPS, LOADED),
    "faultnostack": LOADED | PRINTS | FAULTS,
    "faultallocbad": LOADED | PRINTS | {13},
    **dict.fromkeys(("faultdie", "faultalloc", "faultevilhandler"), LOADED | PRINTS | FAULTS | {13}),
    "dumbfork": LOADED | PRINTS | FORKS,
    **dict.fromkeys(("forktree", "spin"), LOADED | PRINTS | FAULTS | FORKS),
    **dict.fromkeys(("sendpage", "pingpong"), LOADED | PRINTS | FAULTS | FORKS | MESSAGES),
}


def needs_in_qemu(test):
    """The exercises that a test in QEMU needs."""
    return NEEDS_IN_QEMU[test.title.removeprefix("program: ")]


def is_quick(test):
    """Whether a test in QEMU is one of those that the quick tests run: their programs reach what they need whenever the timer
    comes."""
    return test.title.removeprefix("program: ") in ("breakpoint", "faultdie", "forktree", "pingpong")


def documents(root):
    """The tests of what the handout's documents show, for a handout at `root`."""
    return envdoctests.tests(root)
