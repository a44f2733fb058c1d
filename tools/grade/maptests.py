"""The graded tests of odd but legal memory maps: all of them boot, and the kernel says how much memory it gives up."""

import re

import badloader
import reading
from gradelib import FAILURE, Machine, Test
from words import CHECKS, NO_PROMPT, WELCOME, amount, panic, span


def given_up(size, count, kept=128):
    """The line about the pieces that are given up, in K."""
    return (
        f"Given up: {size}K of RAM, the {count} smallest of {count + kept} pieces: {kept} are kept "
        "(RAM_RUNS in libjos/src/mem/memory_map.rs)"
    )


def spoiled(by, *typed, memory="256M"):
    """A machine with the boot information of a function in badloader.py."""
    return Machine(memory=memory, at_entry=by, typed=(*typed, "exit\r"))


def booted(*lines, after=()):
    """The whole output of a boot that begins with `lines`, with `after` after the welcome."""
    return (*lines, *CHECKS, *WELCOME, *after, "K> exit")


# About 600 KB at 0xff6a000, of which `pages` takes 512 KB.
PAGES_AT_THE_END = f"  {span(0xFF6_B000, 0xFFE_AFFF)} the array `pages`, 512 KB"

TESTS = [
    Test(
        "map: a bad page in each 16 MB of 1008 MB", 5, reading.read(spoiled(badloader.bad_pages, memory="1008M")),
        booted(*amount(636, 1007 * 1024 - 63 * 4)), whole=True, verdicts=reading.SUBJECTS, tags=("map",),
    ),
    Test(
        "map: more pieces than are kept", 5, spoiled(badloader.many_pieces),
        # Pieces of 60 KB are given up, and no larger ones.
        booted(*amount(636, 255 * 1024 - 256 * 4 - 130 * 60), given_up(130 * 60, 130)), whole=True, tags=("map",),
    ),
    Test(
        "map: pieces that join, islands, neighbours within a page", 5, spoiled(badloader.pieces_that_join),
        booted(*amount(636, 0x1_0000 + 28 + 1600)), whole=True, tags=("map",),
    ),
    Test(
        "map: four pages below 1 MB, all in use", 5, spoiled(badloader.little_low_memory, "checks\r"),
        booted(*amount(20, 255 * 1024), after=("K> checks", *CHECKS)), whole=True, tags=("map",),
    ),
    Test(
        "map: 74 GB", 5,
        # The host provides only the memory that is touched.
        Machine(
            memory="74G", board="pc,memory-backend=ram",
            options=("-object", "memory-backend-ram,id=ram,size=74G,reserve=off"), patience=3,
        ),
        booted(*amount(636, 74 * 1024 * 1024 - 1024 - 132)), whole=True, tags=("map",),
    ),
    Test(
        "map: only the last 600 KB are free", 5, spoiled(badloader.only_the_end_is_free, "memmap\r"),
        (*amount(636, 255 * 1024), *CHECKS, *WELCOME, PAGES_AT_THE_END, "K> exit"), tags=("map",),
    ),
    Test(
        "map: no room for pages", 5, spoiled(badloader.nothing_is_free),
        panic(
            r"no room for the array pages: 514 KB in one piece .* 196 KB are free in one piece within the first 256 "
            r"MB\. Of \d+ KB of RAM there the kernel takes \d+ KB, and boot information and modules \d+ KB: load fewer "
            r"or smaller modules"
        ),
        NO_PROMPT, FAILURE, tags=("map",),
    ),
    Test(
        "map: a hundred modules", 5, spoiled(badloader.many_modules),
        booted(
            *amount(636, 255 * 1024),
            re.compile(
                r"Given up: \d+K of RAM in the \d+ smallest gaps between what the loader left: 64 pieces of that are "
                r"kept apart \(RESERVED_RUNS in libjos/src/mem/reservations\.rs\)"
            ),
        ),
        whole=True, tags=("map",),
    ),
]
