#!/usr/bin/env python3
"""Makes boot modules for the graded tests of programs: good ones and bad ones.

usage: modules.py FOLDER PROGRAM

FOLDER gets the files of MODULES. The program is there under names that the kernel's image does not have, so that its
output shows that the module's was run.
"""

import io
import sys
import tarfile
from pathlib import Path

# A file for each kind: a program; an archive with the programs `guest` and `other`; no module at all; a program and an
# archive that end early, the latter in the midst of `guest`.
MODULES = ("program", "archive.tar", "text", "cut-program", "cut-archive.tar", "empty")


def archive(program):
    """A tar archive with one program under two names, in folders as tar writes them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name in ("./guest", "./more/other"):
            info = tarfile.TarInfo(name)
            info.size = len(program)
            tar.addfile(info, io.BytesIO(program))
    return out.getvalue()


def modules(program):
    """The contents of MODULES."""
    whole = archive(program)
    half = len(program) // 2
    return dict(zip(MODULES, (program, whole, b"No program.\n" * 100, program[:half], whole[: (512 + half) // 512 * 512], b"")))


def main(folder, program):
    """Writes the files that have changed."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, contents in modules(Path(program).read_bytes()).items():
        path = folder / name
        if not path.exists() or path.read_bytes() != contents:
            path.write_bytes(contents)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n\n")[1])
    main(*sys.argv[1:])
