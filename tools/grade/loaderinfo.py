"""The loader's information, read from the machine's memory at the kernel's entry: the memory map, and the memory that
the kernel must leave alone.

Sources: the multiboot2 specification, section 3; the PVH boot protocol (Xen's hvm_start_info); the Devicetree
specification 0.4, 2.3.5, 3.4 to 3.6 and chapter 5.
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple

PAGE = 4096
RAM = 1  # both protocols' number for usable memory
RESERVED = 2  # a number for what must not be used
MULTIBOOT2, PVH, DEVICE_TREE = 0x36D7_6289, 0x336E_C578, 0xD00D_FEED
MODULE_TAG, MEMORY_MAP_TAG, END_TAG = 3, 6, 0


class Range(NamedTuple):
    """Physical memory, up to `end`, exclusively."""

    start: int
    end: int


@dataclass(frozen=True)
class LoaderInfo:
    """What a loader said."""

    entries: tuple  # (start, size, type), as they came
    kept: tuple  # ranges that hold the information and the modules

    def ram(self):
        """The RAM in whole pages, as sorted ranges that do not touch. A byte with an entry of another type is no
        RAM."""
        edges = []
        for start, size, kind in self.entries:
            end = min(start + size, 1 << 64)
            if start < end:
                edges += [(start, kind == RAM, 1), (end, kind == RAM, -1)]
        edges.sort()
        depth, ranges, since, index = {True: 0, False: 0}, [], None, 0
        while index < len(edges):
            place = edges[index][0]
            while index < len(edges) and edges[index][0] == place:
                depth[edges[index][1]] += edges[index][2]
                index += 1
            usable = depth[True] > 0 and depth[False] == 0
            if usable and since is None:
                since = place
            elif not usable and since is not None:
                ranges.append(Range(-(-since // PAGE) * PAGE, place // PAGE * PAGE))
                since = None
        return [run for run in ranges if run.start < run.end]

    def kept_pages(self):
        """The ranges in `kept`, widened to whole pages."""
        return [Range(start // PAGE * PAGE, -(-end // PAGE) * PAGE) for start, end in self.kept if start < end]


def read(load, magic, at):
    """The LoaderInfo at the address `at`, by the protocol whose magic number the loader passes; None if there is no
    such protocol. `load` gives the bytes at a physical address."""
    if magic == MULTIBOOT2:
        return multiboot2(load, at)
    if load(at, 4) == struct.pack(">I", DEVICE_TREE):
        return device_tree(load, at)
    if magic == PVH or load(at, 4) == struct.pack("<I", PVH):
        return pvh(load, at)
    return None


def multiboot2(load, at):
    """Multiboot2's information: a size, then tags."""
    size = struct.unpack("<I", load(at, 4))[0]
    data = load(at, size)
    entries, kept, offset = (), [Range(at, at + size)], 8
    while offset + 8 <= size:
        kind, length = struct.unpack_from("<II", data, offset)
        if kind == END_TAG:
            break
        if kind == MEMORY_MAP_TAG and not entries:
            stride = struct.unpack_from("<I", data, offset + 8)[0]
            places = range(offset + 16, offset + length - stride + 1, stride)
            entries = tuple(struct.unpack_from("<QQI", data, place) for place in places)
        elif kind == MODULE_TAG:
            kept.append(Range(*struct.unpack_from("<II", data, offset + 8)))
        offset += -(-length // 8) * 8
    return LoaderInfo(entries, tuple(kept))


def pvh(load, at):
    """PVH's information: hvm_start_info, and the tables to which it leads."""
    info = load(at, 56)
    nr_modules, modules, line = struct.unpack_from("<IQQ", info, 12)
    memory_map, nr_entries = struct.unpack_from("<QI", info, 40)
    kept = [Range(at, at + 56), Range(memory_map, memory_map + 24 * nr_entries)]
    if nr_modules:
        kept.append(Range(modules, modules + 32 * nr_modules))
        rows = struct.iter_unpack("<QQQQ", load(modules, 32 * nr_modules))
        kept += [Range(start, start + size) for start, size, _, _ in rows]
    if line:
        end = line
        while (text := load(end, 64)).find(0) < 0:
            end += 64
        kept.append(Range(line, end + text.find(0) + 1))
    data = load(memory_map, 24 * nr_entries)
    entries = tuple(struct.unpack_from("<QQI", data, place) for place in range(0, len(data), 24))
    return LoaderInfo(entries, tuple(kept))


# The words of a device tree's structure.
BEGIN_NODE, END_NODE, PROPERTY, NOTHING, END_TREE = 1, 2, 3, 4, 9


def device_tree(load, at):
    """A flattened device tree's information. The kernel copies the tree, and need not keep it where it is."""
    size = struct.unpack(">I", load(at + 4, 4))[0]
    data = load(at, size)
    entries, kept = [], []
    nodes = {path: properties for path, properties in tree_nodes(data)}
    for path, properties in nodes.items():
        parent = path.rpartition("/")[0]
        if path.startswith("/memory@") and "/" not in path[1:] or path == "/memory":
            entries += ((start, length, RAM) for start, length in regions(properties, nodes[parent]))
        elif parent == "/reserved-memory":
            entries += ((start, length, RESERVED) for start, length in regions(properties, nodes[parent]))
    at = struct.unpack_from(">I", data, 16)[0]
    while any(row := struct.unpack_from(">QQ", data, at)):
        entries.append((*row, RESERVED))
        at += 16
    chosen = nodes.get("/chosen", {})
    bounds = [int.from_bytes(chosen.get(f"linux,initrd-{name}", b""), "big") for name in ("start", "end")]
    if any(bounds):
        kept.append(Range(*bounds))
    return LoaderInfo(tuple(entries), tuple(kept))


def tree_nodes(data):
    """The nodes of a device tree: the path and the properties of each, by name."""
    structure, strings = struct.unpack_from(">II", data, 8)
    path, found, at = [], [], structure
    while True:
        (word,) = struct.unpack_from(">I", data, at)
        at += 4
        if word == BEGIN_NODE:
            end = data.index(0, at)
            path.append(data[at:end].decode())
            found.append(("/".join(path), {}))
            at = end + 1
        elif word == PROPERTY:
            length, name = struct.unpack_from(">II", data, at)
            end = data.index(0, strings + name)
            properties = next(properties for name, properties in reversed(found) if name == "/".join(path))
            properties[data[strings + name : end].decode()] = data[at + 8 : at + 8 + length]
            at += 8 + length
        elif word == END_NODE:
            path.pop()
        elif word == END_TREE:
            return found
        elif word != NOTHING:
            raise ValueError(f"the device tree has the word {word:#x}")
        at = -(-at // 4) * 4


def regions(properties, parent):
    """The regions (start, size) of a node, whose parent tells how many words a number has."""
    cells = lambda name, default: 4 * int.from_bytes(parent.get(f"#{name}-cells", bytes([default])), "big")
    start, size = cells("address", 2), cells("size", 1)
    data = properties.get("reg", b"")
    for at in range(0, len(data) - start - size + 1, start + size):
        yield int.from_bytes(data[at : at + start], "big"), int.from_bytes(data[at + start : at + start + size], "big")
