"""Explains a page fault: the access that was tried, and the reason in the tables.

x86: the error code's bits are in Intel SDM vol. 3A, 4.7, those of CR0, CR4 and EFLAGS in 2.3, 2.5 and 4.6. RISC-V:
scause and sstatus are in the privileged specification, 12.1.
"""

from dataclasses import dataclass
from typing import Optional

from .facts import size_text

PRESENT, WRITE, USER, RESERVED, FETCH = (1 << bit for bit in range(5))
CR0_WP = 1 << 16
CR4_SMEP, CR4_SMAP = 1 << 20, 1 << 21
EFLAGS_AC = 1 << 18
SSTATUS_SPP, SSTATUS_SUM, SSTATUS_MXR = 1 << 8, 1 << 18, 1 << 19
# Accesses; and those of RISC-V's page faults, by scause.
FETCHES, READS, WRITES = "fetch an instruction from", "read", "write to"
SCAUSES = {12: FETCHES, 13: READS, 15: WRITES}


@dataclass(frozen=True)
class Rules:
    """What binds the kernel: the ends of sentences about refusals, or None where it is not bound."""

    write: Optional[str]  # to pages that are not writable
    fetch: Optional[str]  # from the user's pages
    use: Optional[str]  # reading and writing the user's pages
    reads_code: bool = False  # It may read pages that may only be executed.


@dataclass(frozen=True)
class Fault:
    """The processor's report of a page fault."""

    va: int
    access: str  # one of those above
    user: bool
    rules: Rules
    text: str  # the processor's own words
    present: Optional[bool] = None  # whether the processor found a page; None if it does not say
    reserved: bool = False  # It found a bit set that must be 0.


def x86(va, error, cr0, cr4, eflags=0):
    """The Fault of an x86 processor; va is CR2."""
    write = ", and CR0.WP holds the kernel to that" if cr0 & CR0_WP else None
    fetch = ", and CR4.SMEP keeps the kernel from executing those" if cr4 & CR4_SMEP else None
    use = ", and CR4.SMAP keeps the kernel from using those" if cr4 & CR4_SMAP and not eflags & EFLAGS_AC else None
    access = FETCHES if error & FETCH else WRITES if error & WRITE else READS
    return Fault(va, access, bool(error & USER), Rules(write, fetch, use), error_text(error),
                 bool(error & PRESENT), bool(error & RESERVED))


def riscv(va, scause, sstatus):
    """The Fault of a RISC-V hart; va is stval."""
    use = None if sstatus & SSTATUS_SUM else ", and the kernel may not use those while sstatus.SUM is clear"
    rules = Rules("", ", which the kernel may not execute", use, bool(sstatus & SSTATUS_MXR))
    text = f"scause {scause}: " + " ".join(
        f"{name}={int(bool(sstatus & bit))}" for name, bit in (("SPP", SSTATUS_SPP), ("SUM", SSTATUS_SUM),
                                                               ("MXR", SSTATUS_MXR)))
    return Fault(va, SCAUSES[scause], not sstatus & SSTATUS_SPP, rules, text)


def attempt(fault):
    """The access and who made it."""
    return f"{'User code' if fault.user else 'The kernel'} tried to {fault.access}"


def error_text(error):
    """x86's error code bit by bit."""
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
    refusal = refused(fault, perm, bits)
    return f"{shown}: {refusal}" if refusal else ""


def refused(fault, perm, bits):
    """Why a page's permissions forbid the access; "" if they do not."""
    user_page, rules = bool(perm & bits["U"]), fault.rules
    if fault.user and not user_page:
        return "not for user code"
    if fault.access == FETCHES:
        if not perm & bits["X"]:
            return "not executable"
        return "a user page" + rules.fetch if user_page and not fault.user and rules.fetch else ""
    if fault.access == WRITES and not perm & bits["W"]:
        if fault.user:
            return "not writable"
        if rules.write is not None:
            return "not writable" + rules.write
    if fault.access == READS and not perm & bits["R"] and not (rules.reads_code and perm & bits["X"]):
        return "not readable"
    return "a user page" + rules.use if user_page and not fault.user and rules.use else ""


def explain(form, fault, steps):
    """A page fault in a sentence or two."""
    named = form.facts.named(fault.va)
    why = reason(form, fault, steps)
    if fault.reserved:
        return f"{attempt(fault)} {named}, but an entry on the way there has a bit set that must be 0."
    found = steps[-1].entry.kind == "page" and form.is_canonical(fault.va)
    if not why or fault.present not in (None, found):
        now = f"{why}" if why else "they allow it"
        return (f"{attempt(fault)} {named} and was refused ({fault.text}), but the tables as they are"
                f" now say otherwise ({now}): they changed since, or the TLB was stale.")
    return f"{attempt(fault)} {named}, but {why}."
