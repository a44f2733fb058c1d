"""Parses users' input: addresses as numbers, names of the map, symbols, expressions, and sums of these."""

import re

import gdb

from . import kernel
from .context import CONTEXT


def address(text):
    """The number of an address."""
    total, sign = 0, 1
    parts = [part for part in re.split(r"\s*([+-])\s*", text.strip()) if part]
    if parts[:1] == ["-"] or not all(one(part) is not None for part in parts[::2]) or len(parts) % 2 == 0:
        return expression(text)
    for part in parts:
        if part in "+-":
            sign = 1 if part == "+" else -1
        else:
            total += sign * one(part)
    return total % (CONTEXT.facts.last + 1)


def one(word):
    """A number, a name of the map, a variable, a symbol or kern_pgdir; None for anything else."""
    if re.fullmatch(r"0[xX][0-9a-fA-F_]+|[0-9][0-9_]*", word):
        number = int(word.replace("_", ""), 16 if word[:2] in ("0x", "0X") else 10)
        last = CONTEXT.facts.last
        if number > last:
            raise gdb.GdbError(f"{word} does not fit into {last.bit_length()} bits.")
        return number
    if word in CONTEXT.facts.constants:
        return CONTEXT.facts.constants[word]
    if not re.fullmatch(r"[A-Za-z_]\w*", word):
        return None
    try:
        found = value(gdb.parse_and_eval(word))
    except (gdb.error, gdb.GdbError):
        found = kernel.symbol(word)
    # A variable of mem_init, or else the global, which is 0 until it is known.
    return found or kernel.find(CONTEXT.facts).need_kern_pgdir() if word == "kern_pgdir" else found


def type_of(text):
    """The name of an expression's type; "" if it is no expression."""
    try:
        return gdb.parse_and_eval(text).type.unqualified().name or ""
    except gdb.error:
        return ""


def expression(text):
    """The number of anything that gdb can evaluate."""
    try:
        return value(gdb.parse_and_eval(text))
    except gdb.error as error:
        raise gdb.GdbError(f"{text}: {error}") from None


def value(found):
    """The number of a gdb.Value: an integer, a pointer, an address of the kernel's types, or a function's place."""
    if found.type.code == gdb.TYPE_CODE_FUNC:
        return int(found.address)
    try:
        return kernel.number(found)
    except (gdb.error, IndexError):
        raise gdb.GdbError(f"A value of type {found.type} is no address.") from None
