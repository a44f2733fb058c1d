"""Facts from the Rust sources: the map, the page-table format, PageInfo. None of them is repeated here.

monitor/examples/facts.rs prints it as JSON, and make keeps that in obj/ARCH/facts.json.
"""

import json
from pathlib import Path

OBJ = Path(__file__).resolve().parents[3] / "obj"


class Missing(Exception):
    """Raised if facts.json is missing or has not the needed form."""


def path_of(arch):
    """Where make keeps the facts of a machine, by its name."""
    return OBJ / arch / "facts.json"


def load(path):
    """The facts in a file; raises Missing if it has none."""
    try:
        return Facts(json.loads(Path(path).read_text()))
    except OSError as error:
        raise Missing(f"cannot read {path} ({error.strerror}): run make") from None
    except (ValueError, KeyError) as error:
        raise Missing(f"{path} is not what monitor/examples/facts.rs prints ({error!r}): run make") from None


class Facts:
    """The facts, and names derived from them."""

    def __init__(self, table):
        self.map, self.format, self.page_info = table["map"], table["format"], table["page_info"]
        self.registers = table["registers"]
        self.addresses, self.regions = self.map["addresses"], self.map["regions"]
        self.constants = {**self.addresses, **self.map["sizes"], **self.map["physical"], "PGSIZE": self.map["PGSIZE"]}
        self.page_size, self.last = self.map["PGSIZE"], self.map["last"]
        self._columns, self._entry_columns = self.format["address_columns"], self.format["entry_columns"]
        self.levels = self.format["levels"]
        self.entries = 1 << self.format["index_bits"]
        self.kernbase, self.upages, self.uvpt = (self.addresses[name] for name in ("KERNBASE", "UPAGES", "UVPT"))

    def region(self, va):
        """The region of the map that a virtual address lies in."""
        return next(region for region in self.regions if region["base"] <= va <= region["last"])

    def place(self, va):
        """The name of a virtual address: a constant of the map plus an offset, if its region has a constant."""
        region = self.region(va)
        below = [(base, name) for name, base in self.addresses.items() if region["base"] <= base <= va]
        if not below:
            return ""
        nearest = max(base for base, _ in below)
        name = next(name for base, name in below if base == nearest)
        return name if va == nearest else f"{name}+{va - nearest:#x}"

    def named(self, va):
        """A virtual address, its name and its region, for a sentence."""
        name, region = self.place(va), f'"{self.region(va)["name"]}"'
        return f"{self.va_text(va)} ({name}, in {region})" if name else f"{self.va_text(va)} (in {region})"

    def va_text(self, va):
        """A virtual address in all its digits."""
        return f"{va:#0{self._columns}x}"

    def pa_text(self, pa):
        """A physical address in as many digits as one below 64 GB has, or one of the machine."""
        return f"{pa:#0{min(self._columns, len('0x123456789'))}x}"

    def entry_text(self, word):
        """An entry in all its digits."""
        return f"{word:#0{self._entry_columns}x}"

    def fields(self, register, value):
        """The fields of a control register that are set, by name; None for a register that gdb knows itself."""
        if register not in self.registers:
            return None
        rows = [(name, width, value >> bit & (1 << width) - 1) for bit, width, name in self.registers[register]]
        return [name if width == 1 else f"{name}={field:#x}" for name, width, field in rows if field]

    def in_window(self, va):
        """The physical address of an address in the window at KERNBASE or in PHYSMAP; None for any other."""
        window, physmap = self.map["sizes"]["WINDOW_SIZE"], self.map["sizes"]["PHYSMAP_MAX"]
        for base, first, end in ((self.kernbase, 0, window), (self.addresses["PHYSMAP"], window, physmap)):
            if first <= va - base < end:
                return self.map["physical"]["PHYS_BASE"] + va - base
        return None

    def perm_text(self, perm):
        """Permissions in the kernel's own letters."""
        return self.format["texts"].get(str(perm), f"{perm:#x}")


def size_text(size):
    """A number of bytes in the largest unit that leaves no fraction."""
    for unit, name in ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"


def plural(count, noun):
    """A number with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
