"""The graded tests of environments from outside: the reader judges them (environments.py) while a crowd of them runs and
when all have ended, and the registers of a new one are read. usertests.py has each program read when it has ended.
"""

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
    ]


TESTS = tests()
