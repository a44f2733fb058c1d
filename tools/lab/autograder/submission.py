"""A submission: the lab's files in a folder, or an archive of them. It is a stranger's, so it is bounded before it is read,
and nothing of an archive is written outside of the folder that it is unpacked to.
"""

import gzip
import io
import re
import tarfile
import zipfile
from pathlib import Path

MOST_BYTES, MOST_FILES = 16 << 20, 5000  # of an archive, and of what is in it


class Unusable(Exception):
    """Raised if nothing of a submission can be graded, with a sentence for its author."""


def find(submission, names, folder):
    """The folder below which the lab's files lie: in the submission, or in the archive that was handed in, which is
    unpacked to `folder`."""
    root = root_of(submission, names)
    if root:
        return root
    archives = [path for path in sorted(submission.rglob("*")) if re.search(r"\.(tar\.gz|tgz|tar|zip)$", path.name)]
    if archives and archives[0].is_file() and not archives[0].is_symlink():
        unpack(archives[0], folder)
        root = root_of(folder, names)
    if not root:
        raise Unusable(f"none of the lab's files is there. Hand in what `make handin` packs: {', '.join(sorted(names))}")
    return root


def root_of(folder, names):
    """The folder in a submission below which the lab's files lie; or None."""
    for name in sorted(names):
        for found in sorted(folder.rglob(Path(name).name)):
            if found.as_posix().endswith("/" + name):
                return Path(found.as_posix().removesuffix("/" + name))
    return None


def unpack(archive, folder):
    """Unpacks an archive's files: no links, no devices, nothing outside of the folder."""
    try:
        bound(1, archive.stat().st_size)
        for name, contents in (of_zip if archive.name.endswith(".zip") else of_tar)(archive):
            if not name.startswith("/") and ".." not in Path(name).parts:
                to = folder / name
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes(contents)
    except Unusable:
        raise
    # Python's readers raise a dozen kinds: zlib.error, RuntimeError for a password, RecursionError, ...
    except Exception as error:
        raise Unusable(f"{archive.name} cannot be unpacked: {error}") from error


def of_zip(archive):
    """The files of a zip: (name, contents). Not more is unpacked of a file than the archive's table says it has."""
    with zipfile.ZipFile(archive) as packed:
        infos = packed.infolist()
        bound(len(infos), sum(info.file_size for info in infos))
        for info in infos:
            if not info.is_dir():
                yield info.filename, packed.read(info)


def of_tar(archive):
    """The files of a tar, compressed by gzip or not: (name, contents). It is decompressed first, so that no header of it can
    ask for more."""
    contents = archive.read_bytes()
    if not archive.name.endswith(".tar"):
        with gzip.open(archive) as packed:
            contents = packed.read(MOST_BYTES + 1)
    bound(1, len(contents))
    files, size = [], 0
    with tarfile.open(fileobj=io.BytesIO(contents), mode="r:") as packed:
        for number, member in enumerate(packed, 1):
            size += abs(member.size)
            bound(number, size)
            if member.isreg():
                files.append(member)
        for member in files:
            yield member.name, packed.extractfile(member).read()


def bound(number, size):
    """Refuses an archive of too many files, or too large ones."""
    if number > MOST_FILES or size > MOST_BYTES:
        raise Unusable(f"the archive has more than {MOST_FILES} files or {MOST_BYTES >> 20} MB")
