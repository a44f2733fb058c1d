#!/usr/bin/env python3
"""Puts programs of user/ into an archive for the kernel, without their symbols.

usage: archive.py ARCHIVE PROGRAM...

The archive is a tar file (ustar). Whatever does not matter to the kernel is 0 in it: so equal programs make equal archives,
and the file is written only if it changes.
"""

import io
import struct
import sys
import tarfile
from pathlib import Path


def stripped(elf):
    """An ELF file up to the end of its segments, with no sections."""
    wide = elf[4] == 2
    entry = struct.Struct("<IIQQQQ" if wide else "<IIIIII")  # type, (flags,) offset, ..., size in the file
    offset_at, size_at = (2, 5) if wide else (1, 4)
    at, = struct.unpack_from("<Q" if wide else "<I", elf, 32 if wide else 28)
    size, number = struct.unpack_from("<HH", elf, 54 if wide else 42)
    end = at + size * number
    for n in range(number):
        fields = entry.unpack_from(elf, at + n * size)
        end = max(end, fields[offset_at] + fields[size_at])
    kept = bytearray(elf[:end])
    struct.pack_into("<Q" if wide else "<I", kept, 40 if wide else 32, 0)  # where the sections are described
    struct.pack_into("<HHH", kept, 58 if wide else 46, 0, 0, 0)
    return bytes(kept)


def archive(programs):
    """The bytes of an archive of programs, {name: ELF file}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, elf in sorted(programs.items()):
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            contents = stripped(elf)
            info.size = len(contents)
            tar.addfile(info, io.BytesIO(contents))
    return out.getvalue()


def main(out, *programs):
    """Runs the program."""
    out = Path(out)
    new = archive({Path(path).name: Path(path).read_bytes() for path in programs})
    if not out.exists() or out.read_bytes() != new:
        out.write_bytes(new)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__.split("\n\n")[1])
    main(*sys.argv[1:])
