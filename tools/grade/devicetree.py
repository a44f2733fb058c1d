"""Device trees of bad firmware, and of odd machines, put in the place of the firmware's at the kernel's entry.

A tree is written by the Devicetree specification 0.4: chapter 3 (the nodes), chapter 5 (their form in memory).
"""

import struct
from dataclasses import dataclass, field

MAGIC = 0xD00D_FEED
BEGIN_NODE, END_NODE, PROPERTY, END = 1, 2, 3, 9
# The header's words: the magic, then
TOTAL_SIZE, STRUCTURE_AT, STRINGS_AT, RESERVED_AT = range(4, 20, 4)
HEADER_BYTES = 40

MB = 1 << 20
RAM = 0x8000_0000
MEMORY = ((RAM, 256 * MB),)
FIRMWARE = (RAM, MB // 2)  # what OpenSBI keeps for itself
UART, TEST_DEVICE, CLOCK, FLASH = 0x1000_0000, 0x10_0000, 0x10_1000, 0x2000_0000  # of QEMU's virt
NO_DEVICE = 0x1800_0000  # an address without RAM and without a device
PLIC_AT, PLIC_SIZE, PLIC_NUMBER, UART_SOURCE = 0xC00_0000, 0x60_0000, 3, 10
HART_NUMBER, MACHINES_INPUT, SUPERVISORS_INPUT = 2, 11, 9  # of the hart's own controller, and its inputs for devices
PLACE = 0x8800_0000  # of a tree: RAM behind the kernel, whatever a tree says


@dataclass
class Node:
    """A node: its properties are bytes by name."""

    name: str
    properties: dict = field(default_factory=dict)
    children: tuple = ()


def cells(*numbers):
    """Numbers of 32 bits."""
    return struct.pack(f">{len(numbers)}I", *numbers)


def wide(*numbers):
    """Numbers of 64 bits."""
    return struct.pack(f">{len(numbers)}Q", *numbers)


def padded(data):
    """Bytes, up to a word's end."""
    return data + bytes(-len(data) % 4)


def flat(root, reserved=()):
    """The tree in its form in memory. The header's list of reserved memory has these pairs of address and size."""
    names = bytearray()

    def structure(node):
        yield cells(BEGIN_NODE) + padded(node.name.encode() + b"\0")
        for name, value in node.properties.items():
            yield cells(PROPERTY, len(value), len(names)) + padded(value)
            names.extend(name.encode() + b"\0")
        for child in node.children:
            yield from structure(child)
        yield cells(END_NODE)

    body = b"".join(structure(root)) + cells(END)
    pairs = b"".join(wide(*pair) for pair in (*reserved, (0, 0)))
    structure_at = HEADER_BYTES + len(pairs)
    strings_at = structure_at + len(body)
    total = strings_at + len(names)
    return cells(
        MAGIC, total, structure_at, strings_at, HEADER_BYTES, 17, 16, 0, len(names), len(body)
    ) + pairs + body + bytes(names)


def device(name, binding, address, size=0x100, **further):
    """A device's node."""
    properties = {"compatible": binding.encode() + b"\0", "reg": wide(address, size)}
    return Node(f"{name}@{address:x}", properties | {name.replace("_", "-"): value for name, value in further.items()})


WIDTHS = {"#address-cells": cells(2), "#size-cells": cells(2)}
def serial(address=UART, source=UART_SOURCE, **further):
    """The node of a UART."""
    return device("serial", "ns16550a", address, interrupts=cells(source), **further)


def plic(address=PLIC_AT, inputs=(MACHINES_INPUT, SUPERVISORS_INPUT), **further):
    """The node of an interrupt controller, whose contexts are these inputs of the hart."""
    words = [word for number in inputs for word in (HART_NUMBER, number)]
    further = {"phandle": cells(PLIC_NUMBER), "interrupts_extended": cells(*words), **further}
    return device("plic", "sifive,plic-1.0.0", address, PLIC_SIZE, **further)


SERIAL, PLIC = serial(), plic()


def virt(memory=MEMORY, devices=(SERIAL, PLIC), reserved=(FIRMWARE,), **chosen):
    """The root of a tree like that of QEMU's virt, with these regions of RAM, and these devices beside that which ends
    QEMU."""
    controller = Node("interrupt-controller", {"phandle": cells(HART_NUMBER)})
    hart = Node("cpu@0", {"reg": cells(0), "riscv,isa": b"rv64imafdc\0"}, (controller,))
    keep = (Node(f"mmode_resv{i}@{start:x}", {"reg": wide(start, size)}) for i, (start, size) in enumerate(reserved))
    return Node("", {**WIDTHS, "compatible": b"riscv-virtio\0"}, (
        Node("chosen", {name.replace("_", "-"): value for name, value in chosen.items()}),
        Node("reserved-memory", {**WIDTHS, "ranges": b""}, tuple(keep)),
        *(Node(f"memory@{start:x}", {"reg": wide(start, size)}) for start, size in memory),
        Node("cpus", {"timebase-frequency": cells(10_000_000)}, (hart,)),
        Node(
            "soc", {**WIDTHS, "ranges": b"", "interrupt-parent": cells(PLIC_NUMBER)},
            (device("test", "sifive,test1", TEST_DEVICE), *devices),
        ),
    ))


def spoilt(tree, at, word):
    """A tree in memory, with another word at this offset."""
    return tree[:at] + cells(word) + tree[at + 4:]


def pass_on(tree, at=PLACE):
    """A Machine.at_entry: the firmware passes this tree, written to memory, or only an address."""
    def act(stub, symbols):
        stub.run_to(symbols["_start"])
        if tree:
            stub.write_memory(at, tree)
        stub.write("a1", at)
    return act


def enter_elsewhere(stub, symbols):
    """A Machine.at_entry: the kernel lies, and begins, where it is not linked."""
    start = symbols["_start"]
    stub.run_to(start)
    stub.write_memory(PLACE, stub.read_memory(start, symbols["edata"] - symbols["entry"]))
    stub.write("ip", PLACE)
