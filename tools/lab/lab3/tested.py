"""What the tests of the lab expect of lab 3 (tools/lab/test_lab.py, test_autograder.py)."""

# Exercise -> those whose functions its tests reach, beside its own (libjos/tests/lab3/main.rs).
CALL = {1, 2, 6, 9}
NEEDS = {1: {}, 2: {1}, 3: {2}, 4: {2, 3}, 5: {1, 2, 3, 4}, 6: {1, 2}, 7: {2}, 8: {1, 2, 7}, 9: {1, 2, 6, 7, 8},
         **dict.fromkeys(range(10, 16), CALL), 16: {1, 2, 6, 7, 10}, 17: CALL, 18: CALL}

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
