"""What the tests of the lab expect of lab 2 (tools/lab/test_lab.py, test_autograder.py)."""

import gdbtests

# Exercise -> those whose functions its tests reach, beside its own.
NEEDS = {1: {}, 2: {1}, 3: {}, 4: {3}, 5: {3, 4}, 6: {}, 7: {3, 4, 6}, 8: {6}, 9: {3, 4, 6, 7}, 10: {6}, 11: {3, 4, 5, 6},
         12: {3, 4, 5, 6, 7, 11}, 13: {*range(1, 13)}}

# Names of the engine's own bodies, of which nothing may be handed out.
ENGINE = ("make_tables", "pgdir_walk_slow", "page_insert_slow", "page_remove_slow", "fast_walk", "prepend_linked",
          "append_linked", "link_upwards", "free_on_empty_list", "map_in_table", "release_tree", "count_run", "drop_page")
# Lines of an answer that nothing handed out may have.
TELLING = r"\b(store.*(leaf|table)|load|zero_frame|pp_link|nfree -)"

# The first words of a kernel without bodies, with this command line.
WORDS = ""
AT_FIRST = r"kernel panic at libjos/src/mem/boot_alloc.rs:\d+:\d+: exercise 1: not yet implemented"

# What the quick tests leave out, and how many bodies they put in.
LEFT_OUT, STEPS = (5,), (0, 4, 13)

# The folder of the exercises' tests.
TESTS = "libjos/src/lab2_tests"

# Of the autograder: a file, an exercise in it, a line of its answer, a call of the engine's own that it may not make, and
# an exercise that does not depend on it.
FILE = "libjos/src/mem/pages/allocator.rs"
EXERCISE = "Exercise 4: page_alloc"
LINE = "let frame = Frame(self.list.head);"
SHORT_CUT = "self.page_alloc_run(mem, flags, 1)"
OTHER = "Exercise 3: page_init"


def needs_in_qemu(test):
    """The exercises that a test in QEMU needs: the machine is read at the prompt, which needs all bodies."""
    return NEEDS


def is_quick(test):
    """Whether a test in QEMU is one of those that the quick tests run: JOS's four."""
    return "jos" in test.tags


def documents(root):
    """The tests of what the handout's documents show, for a handout at `root`."""
    return [gdbtests.the_tour(root)]
