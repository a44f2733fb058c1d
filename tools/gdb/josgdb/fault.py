"""Explains a page fault: the access that was tried, and the reason in the tables.

Bits of the error code: Intel SDM vol. 3A, 4.7. Bits of CR0, CR4 and EFLAGS: 2.3, 2.5 and 4.6.
"""

from dataclasses import dataclass

from .facts import size_text

PRESENT, WRITE, USER, RESERVED, FETCH = (1 << bit for bit in range(5))
CR0_WP = 1 << 16
CR4_SMEP, CR4_SMAP = 1 << 20, 1 << 21
EFLAGS_AC = 1 << 18


@dataclass(frozen=True)
class Fault:
    """The processor's report of a page fault, and the control registers."""

    va: int  # CR2
    error: int
    cr0: int
    cr4: int
    eflags: int = 0


def attempt(fault):
    """The access and who made it."""
    who = "User code" if fault.error & USER else "The kernel"
    if fault.error & FETCH:
        return f"{who} tried to fetch an instruction from"
    return f"{who} tried to {'write to' if fault.error & WRITE else 'read'}"


def error_text(error):
    """The error code bit by bit."""
    names = (("P", PRESENT), ("W", WRITE), ("U", USER), ("RSVD", RESERVED), ("I", FETCH))
    return f"error code {error:#x}: " + " ".join(f"{name}={int(bool(error & bit))}" for name, bit in names)


def reason(form, fault, steps):
    """Why the tables forbid the access, as the end of a sentence; "" if they do not."""
    step = steps[-1]
    level = f"level {step.level}, entry [{step.index}]"
    if not form.is_canonical(fault.va):
        return "the address is not canonical, which no table can translate"
    if step.entry.kind == "absent":
        rest = "nothing is mapped there" if step.level == 0 else (
            f"there is no table for the {size_text(form.levels[step.level]['size'])} around it")
        return f"the walk stops at {level}, which is not present: {rest}"
    page = f"it lies in a {size_text(form.levels[step.level]['size'])} page"
    perm, bits = form.granted(steps), form.perms
    shown = f"{page}, mapped {form.facts.perm_text(perm)} by {level}"
    user = fault.error & USER
    if user and not perm & bits["U"]:
        return f"{shown}: not for user code"
    if fault.error & FETCH:
        if not perm & bits["X"]:
            return f"{shown}: not executable"
        if not user and perm & bits["U"] and fault.cr4 & CR4_SMEP:
            return f"{shown}: a user page, and CR4.SMEP keeps the kernel from executing those"
        return ""
    if fault.error & WRITE and not perm & bits["W"] and (user or fault.cr0 & CR0_WP):
        return f"{shown}: not writable" + ("" if user else ", and CR0.WP holds the kernel to that")
    if not user and perm & bits["U"] and fault.cr4 & CR4_SMAP and not fault.eflags & EFLAGS_AC:
        return f"{shown}: a user page, and CR4.SMAP keeps the kernel from using those"
    return ""


def explain(form, fault, steps):
    """A page fault in a sentence or two."""
    named = form.facts.named(fault.va)
    why = reason(form, fault, steps)
    present = bool(fault.error & PRESENT)
    if fault.error & RESERVED:
        return f"{attempt(fault)} {named}, but an entry on the way there has a bit set that must be 0."
    found = steps[-1].entry.kind == "page" and form.is_canonical(fault.va)
    if not why or found != present:
        now = f"{why}" if why else "they allow it"
        return (f"{attempt(fault)} {named} and was refused ({error_text(fault.error)}), but the tables as they are"
                f" now say otherwise ({now}): they changed since, or the TLB was stale.")
    return f"{attempt(fault)} {named}, but {why}."
