"""Tests of the archive of programs."""

import io
import struct
import tarfile
import tempfile
import unittest
from pathlib import Path

import archive

ROOT = Path(__file__).resolve().parents[2]


def elf(wide, segments, behind=b"symbols"):
    """An ELF file with segments, each (offset, size in the file), and with sections behind them."""
    header = bytearray(64 if wide else 52)
    header[:5] = b"\x7fELF" + bytes([2 if wide else 1])
    entry = 56 if wide else 32
    struct.pack_into("<Q" if wide else "<I", header, 32 if wide else 28, len(header))
    struct.pack_into("<Q" if wide else "<I", header, 40 if wide else 32, 0x1000)
    struct.pack_into("<HHHHH", header, 54 if wide else 42, entry, len(segments), 64, 3, 2)
    table = b"".join(
        struct.pack("<IIQQQQQQ", 1, 5, offset, 0, 0, size, size, 4096) if wide
        else struct.pack("<IIIIIIII", 1, offset, 0, 0, size, size, 5, 4096)
        for offset, size in segments
    )
    end = max(offset + size for offset, size in segments)
    return (header + table).ljust(end, b"x") + behind


class Archive(unittest.TestCase):
    def test_sections_go_and_segments_stay(self):
        for wide in (False, True):
            file = elf(wide, [(0x200, 0x10), (0x300, 0x20), (0x280, 0)])
            kept = archive.stripped(file)
            self.assertEqual(len(kept), 0x320)
            # Only where the sections are described has changed.
            at, size = (40, 8) if wide else (32, 4)
            changed = {n for n in range(0x320) if kept[n] != file[n]}
            self.assertLessEqual(changed, {*range(at, at + size), *range(58 if wide else 46, 64 if wide else 52)})
            self.assertEqual(kept[at:at + size], bytes(size))
            self.assertEqual(kept[58 if wide else 46:64 if wide else 52], bytes(6))

    def test_a_program_without_contents(self):
        file = elf(True, [(0, 0)], b"")
        self.assertEqual(len(archive.stripped(file)), 64 + 56)

    def test_equal_programs_make_equal_archives(self):
        programs = {"b": elf(True, [(0x200, 1)]), "a": elf(False, [(0x200, 2)])}
        made = archive.archive(programs)
        self.assertEqual(made, archive.archive(dict(sorted(programs.items()))))
        with tarfile.open(fileobj=io.BytesIO(made)) as tar:
            self.assertEqual(tar.getnames(), ["a", "b"])
            self.assertEqual(tar.extractfile("a").read(), archive.stripped(programs["a"]))
            self.assertEqual({(member.mtime, member.uid, member.uname) for member in tar}, {(0, 0, "")})

    def test_the_file_is_written_only_if_it_changes(self):
        with tempfile.TemporaryDirectory() as folder:
            program, out = Path(folder, "hello"), Path(folder, "programs.tar")
            program.write_bytes(elf(True, [(0x200, 1)]))
            archive.main(out, program)
            first = out.stat().st_mtime_ns, out.stat().st_ino
            archive.main(out, program)
            self.assertEqual((out.stat().st_mtime_ns, out.stat().st_ino), first)
            archive.main(out)
            with tarfile.open(out) as tar:
                self.assertEqual(tar.getnames(), [])


if __name__ == "__main__":
    unittest.main()
