"""The graded tests of environments from outside: the reader judges them (environments.py) while a crowd of them runs and
when all have ended, and the registers of a new one are read. usertests.py has each program read when it has ended.
"""

import struct
from pathlib import Path

import built
import reading
from arch import ARCH, LONG_MODE, PC
from control import require
from elf import Image
from gdbstub import CPU
from gradelib import Machine, Test
from words import CHECKS, WELCOME

ROOT = Path(__file__).resolve().parents[2]
FIRST = "[00000000] new env 00001000"


def registers_at_entry(stub, _symbols):
    """A Machine.at_entry: runs to a program's first instruction. Its registers must be 0, but for its stack, its segments
    and the flag that lets interrupts in."""
    program = Image(ROOT / built.OBJ / "user/hello")
    stub.run_to(program.symbols["_start"])
    found = stub.registers()
    code, data = (0x23, 0x1B) if ARCH.has(LONG_MODE) else (0x1B, 0x23)
    wanted = {
        **dict.fromkeys(CPU.general, 0), "ip": program.symbols["_start"], "sp": ARCH.ustacktop, "flags": 0x202,
        "cs": code, "ss": data, **({} if ARCH.has(LONG_MODE) else {"ds": data, "es": data}),
    }
    for name, value in wanted.items():
        require(found[name] == value, f"a program begins with {name} {found[name]:#x}, not {value:#x}")


# Flags that a program can set and the kernel must not keep: DF, NT, AC; and those that a call must clear: TF, IF
# (Intel SDM vol. 1, 3.4.3). Bits of CR0 while programs run: MP, so that WAIT faults if TS is set, and NE.
SET, CLEARED, MP, NE = 1 << 10 | 1 << 14 | 1 << 18, 1 << 8 | 1 << 9, 1 << 1, 1 << 5
IF, GETENVID = 1 << 9, 2
GATES = (b"\x0f\x05", b"\xcd\x30") if ARCH.has(LONG_MODE) else (b"\xcd\x30",)  # syscall, int 0x30


def registers_in_calls(stub, symbols):
    """A Machine.at_entry: a program sets flags and makes a call, by each instruction for it. Meanwhile the kernel's
    registers must be its own."""
    def word(number):
        return struct.pack("<I", number)

    stub.run_to(Image(ROOT / built.OBJ / "user/hello").symbols["_start"])
    for gate in GATES:
        # push; popf; mov eax; the call; push; popf
        code = b"\x68" + word(SET | IF) + b"\x9d\xb8" + word(GETENVID) + gate + b"\x68" + word(IF) + b"\x9d"
        with stub.interlude(code) as before:
            stub.run_to(symbols["syscall"])
            found = CPU.registers(stub.monitor("info registers"))
            flags = next(value for name, value in found.items() if name in ("RFL", "EFL"))
            require(flags & (SET | CLEARED) == 0, f"a system call is handled with the flags {flags:#x}")
            require(found["CR0"] & (MP | NE) == MP | NE, f"while programs run, CR0 is {found['CR0']:#x}")
            stub.run_to(before["ip"] + len(code))


def tests():
    """All tests of environments from outside."""
    crowd = reading.read_crowd(Machine(memory="32M", patience=3))
    ended = "Destroyed the only environment - nothing more to do!"
    lines = (*CHECKS, FIRST, reading.CROWD_PROMPT.strip(), ended, *WELCOME)
    return [
        *(
            Test(f"environments: {title}", 10, crowd, lines, verdicts=(name,), tags=("program",), needs=(PC,))
            for title, name in (
                ("each frame is free, or in use", "frames"),
                ("pp_ref counts the uses by all of them", "counts"),
                ("the kernel's map stays", "map"),
                ("ids, states, directories and pages", "environments"),
            )
        ),
        Test(
            "environments: the registers of a new one", 5, Machine(words="run=hello", at_entry=registers_at_entry),
            (*CHECKS, FIRST, "hello, world", ended, *WELCOME), tags=("program",), needs=(PC,),
        ),
        Test(
            "environments: the kernel's registers in calls", 5,
            Machine(words="run=hello", at_entry=registers_in_calls),
            (*CHECKS, FIRST, "hello, world", ended, *WELCOME), tags=("program",), needs=(PC,),
        ),
    ]


TESTS = tests()
