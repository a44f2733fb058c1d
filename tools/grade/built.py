"""Where make puts what is graded: what belongs to one machine lies in obj/ARCH/."""

from pathlib import Path

from arch import ARCH, PC

OBJ = Path("obj", ARCH.name)
APPS = ("bench", "hello", "heap", "pages", "sieve", "sleep", "tour")

# The files that a Machine boots (Machine.image), below the project's root.
IMAGES = {
    "kernel": OBJ / "kernel",  # booted by QEMU's -kernel
    **({
        "grub": OBJ / "jos.iso",
        "grub-words": OBJ / "grade-words.iso",  # with two unknown words on its command line (see the Makefile)
        "grub-module": OBJ / "grade-module.iso",  # with an archive as a boot module, and run=guest
    } if ARCH.has(PC) else {"bare": OBJ / "bare.bin"}),  # the firmware of `kernel` where QEMU has none
    "shims": OBJ / "shims",  # with functions that the grader calls
    **{app: OBJ / "apps" / app for app in APPS},
}
MODULES = OBJ / "modules"  # boot modules, good and bad (modules.py)
FACTS = OBJ / "facts.json"
