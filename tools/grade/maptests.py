"""The graded tests of odd but legal memory maps: all of them boot, and the kernel says how much memory it gives up."""

import re

import badloader
import reading
from arch import PC
from gradelib import FAILURE, Machine, Test
from words import CHECKS, NO_PROMPT, WELCOME, amount, panic, span


def given_up(size, count, kept=128):
    """The line about the pieces that are given up, in K."""
    return (
        f"Given up: {size}K of RAM, the {count} smallest of {count + kept} pieces: {kept} are kept "
        "(RAM_RUNS in libjos/src/mem/memory_map.rs)"
    )


def spoiled(by, *typed, memory="256M", given_up=()):
    """A machine with the boot information of a function in badloader.py, and its reading."""
    return reading.read(Machine(memory=memory, at_entry=by, typed=(*typed, "exit\r")), given_up=given_up)


def odd(title, machine, lines, whole=True):
    """A boot with an odd memory map."""
    return Test(
        f"map: {title}", 5, machine, lines, whole=whole, verdicts=reading.SUBJECTS, tags=("map",), needs=(PC,),
    )


def booted(*lines, after=()):
    """The whole output of a boot that begins with `lines`, with `after` after the welcome."""
    return (*lines, *CHECKS, *WELCOME, *after, "K> exit")


# About 600 KB at 0xff6a000, of which `pages` takes 512 KB.
PAGES_AT_THE_END = f"  {span(0xFF6_B000, 0xFFE_AFFF)} the array `pages`, 512 KB"

TESTS = [
    odd(
        "a bad page in each 16 MB of 1008 MB", spoiled(badloader.bad_pages, memory="1008M"),
        booted(*amount(636, 1007 * 1024 - 63 * 4, holes=16 * 4)),
    ),
    odd(
        "more pieces than are kept",
        # The highest of the pieces of one size are given up.
        spoiled(badloader.many_pieces, given_up=badloader.SMALL_PIECES[-130:]),
        booted(*amount(636, 255 * 1024 - 256 * 4 - 130 * 60), given_up(130 * 60, 130)),
    ),
    odd(
        "pieces that join, islands, neighbours within a page", spoiled(badloader.pieces_that_join),
        booted(*amount(636, 0x1_0000 + 28 + 1600)),
    ),
    odd(
        "four pages below 1 MB, all in use", spoiled(badloader.little_low_memory, "checks\r"),
        booted(*amount(20, 255 * 1024), after=("K> checks", *CHECKS)),
    ),
    odd(
        "74 GB",
        # The host provides only the memory that is touched.
        reading.read(Machine(
            memory="74G", board="pc,memory-backend=ram",
            options=("-object", "memory-backend-ram,id=ram,size=74G,reserve=off"), patience=5,
        )),
        booted(*amount(636, 74 * 1024 * 1024 - 1024 - 132)),
    ),
    odd(
        "only the last 600 KB are free", spoiled(badloader.only_the_end_is_free, "memmap\r"),
        (*amount(636, 255 * 1024), *CHECKS, *WELCOME, PAGES_AT_THE_END, "K> exit"), whole=False,
    ),
    Test(
        "map: no room for pages", 5, Machine(at_entry=badloader.nothing_is_free),
        panic(
            r"no room for the array pages: 514 KB in one piece .* 76 KB are free in one piece within the 256 MB "
            r"from 0x0 on\. Of \d+ KB of RAM there the kernel takes \d+ KB, and boot information and modules \d+ KB: load fewer "
            r"or smaller modules"
        ),
        NO_PROMPT, FAILURE, tags=("map",), needs=(PC,),
    ),
    odd(
        "a hundred modules", spoiled(badloader.many_modules, given_up=badloader.GAPS[:37]),
        booted(
            *amount(636, 255 * 1024),
            re.compile(
                r"Given up: 2812K of RAM in the 37 smallest gaps between what the loader left: 64 pieces of that are "
                r"kept apart \(RESERVED_RUNS in libjos/src/mem/reservations\.rs\)"
            ),
        ),
    ),
]
