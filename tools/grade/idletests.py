"""The graded tests of an idle machine: its processor halts until an interrupt comes, so that QEMU uses next to no time.

QEMU's own processor time is compared with the time on the clock. A busy host makes the former no longer.
"""

import time

import devicetree as dt
import processes
from arch import ARCH, DEVICE_TREE, LONG_MODE, PC
from built import IMAGES
from control import require
from gradelib import Machine, Test
from words import CHECKS, MB, WELCOME, opening

# Seconds to watch QEMU, and the part of them that it may use: a processor that looks for keys in a loop uses all.
WATCHED, ALLOWED = 1.5, 0.25
# What QEMU needs beside the image of an application, where there is no firmware.
BARE = ("-bios", str(IMAGES.get("bare")))
# An isapc has an older processor than the kernel takes.
CPU = "qemu64" if ARCH.has(LONG_MODE) else "pentium"


def rests(control):
    """Watch QEMU for a while."""
    before, start = processes.seconds(control.qemu.pid), time.monotonic()
    time.sleep(WATCHED)
    used, gone = processes.seconds(control.qemu.pid) - before, time.monotonic() - start
    require(used <= ALLOWED * gone, f"QEMU used {used:.2f} s of {gone:.2f} s, while the machine had nothing to do")
    control.wait_for_halt()


def wakes_at_a_key(control):
    """Type a command on the keyboard."""
    control.press("uptime\r")
    return True


def type_much(control):
    """Type more than the kernel has room for while nobody reads."""
    control.type("x" * 6000)


def press_much(control):
    """Press more keys than the keyboard has room for while nobody reads: the kernel takes each when it interrupts."""
    control.press("x" * 40)


def tests():
    """All tests of idle machines."""

    def prompt(title, act=("uptime\r",), needs=(PC,), times=1, then=(rests,), **machine):
        typed = (rests, *act, *then, "exit\r")
        lines = (*CHECKS, *WELCOME, *("K> uptime",) * times, "K> exit")
        return Test(f"idle: {title}", 5, Machine(typed=typed, **machine), lines, tags=("idle",), needs=needs)

    def sleep(title, *typed, needs=(), image="kernel", **machine):
        first = opening(64 * MB, image=image)
        machine = Machine(
            "sleep", "64M", words="-- 4000", typed=(*typed, rests), prompt="sleeping for 4000 ms\r\n", **machine
        )
        lines = (*first, *CHECKS, "sleeping for 4000 ms", "slept long enough: true")
        return Test(f"idle: in sleep{title}", 5, machine, lines, whole=True, tags=("idle",), needs=needs)

    def looks(title, **machine):
        """A machine whose console does not interrupt the hart: the kernel looks for typed bytes by itself, often."""
        return prompt(title, ("uptime\r" * 100,), (DEVICE_TREE,), times=100, then=(), patience=2, **machine)

    def tree(title, *devices):
        return looks(f"by a device tree with {title}", at_entry=dt.pass_on(dt.flat(dt.virt(devices=devices))))

    return [
        prompt("at the prompt, until something is typed", needs=()),
        prompt("until much is typed at once", ("uptime\r" * 100,), (), times=100),
        prompt("until a key is pressed", (wakes_at_a_key,)),
        prompt("on q35", board="q35"),
        prompt("on an isapc", board="isapc", cpu=CPU),
        prompt("on a microvm", board="microvm"),
        prompt("under GRUB", image="grub"),
        prompt("from UEFI, until a key is pressed", (wakes_at_a_key,), image="grub", uefi=True),
        sleep(""),
        sleep(", whatever is typed", type_much),
        sleep(", whatever is pressed", press_much, needs=(PC,)),
        *((
            prompt("without firmware", needs=(), image="bare"),
            sleep(", without firmware", image="bare", options=BARE),
            sleep(", by the timer of the board", cpu="rv64,sstc=off"),
            prompt("by a device tree", needs=(), at_entry=dt.pass_on(dt.flat(dt.virt()))),
            looks("by another interrupt controller", options=("-machine", "aia=aplic")),
            tree("no interrupt controller", dt.SERIAL),
            tree("another interrupt of the console's", dt.serial(source=dt.UART_SOURCE + 1), dt.PLIC),
            tree("another hart's interrupt controller", dt.SERIAL, dt.plic(inputs=(dt.SUPERVISORS_INPUT,))),
            tree("an interrupt controller where no device is", dt.SERIAL, dt.plic(dt.NO_DEVICE)),
            tree("an interrupt controller that is a flash memory", dt.SERIAL, dt.plic(dt.FLASH)),
            tree("an interrupt controller in RAM", dt.SERIAL, dt.plic(dt.RAM)),
        ) if ARCH.has(DEVICE_TREE) else ()),
    ]


TESTS = tests()
