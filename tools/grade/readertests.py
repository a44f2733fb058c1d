"""The graded tests that drive the memory system's functions from outside, with arguments that differ each time.

Every test of the memory system is judged by the reader too, wherever it stands (reading.py): this file has those that
need functions to be called.
"""

import reading
from gradelib import Test
from words import CHECKS, WELCOME

DRIVEN = reading.drive("shims", reading.SHIMS)

TESTS = [
    Test(f"functions: {title}", 10, DRIVEN, CHECKS + WELCOME, verdicts=verdicts, tags=("functions",))
    for title, verdicts in (
        ("page_alloc and page_free", ("driven frames",)),
        ("pgdir_walk and page_lookup", ("driven tables",)),
        ("page_insert and page_remove, and the TLB", ("driven mappings",)),
        ("the machine after all that", reading.SUBJECTS),
    )
]
