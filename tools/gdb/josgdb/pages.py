"""The array `pages`: the state of each frame, and the free list in it."""

import struct
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class FreeList:
    """The free list, as its links lead: the frames in order, and the error in it, or ""."""

    frames: list
    fault: str


class Pages:
    """The array at one moment. `head` and `nfree` are the allocator's own values, or None if they are not known."""

    def __init__(self, facts, data, pa, head: Optional[int] = None, nfree: Optional[int] = None):
        self.facts, self.pa, self.head, self.nfree = facts, pa, head, nfree
        info = facts.page_info
        self.in_use, self.reserved, self.end = info["IN_USE"], info["RESERVED"], info["END"]
        words = struct.unpack(f"<{len(data) // 4}I", data)
        step = info["size"] // 4
        self.links, self.refs = words[info["pp_link"] // 4 :: step], words[info["pp_ref_or_prev"] // 4 :: step]

    def __len__(self):
        return len(self.links)

    @property
    def initialised(self):
        """Whether page_init has run: page 0 is never free, so before it has, page 0's PageInfo is zeros."""
        return bool(self.links) and (self.links[0], self.refs[0]) != (0, 0)

    def is_free(self, index):
        """Whether a frame is on the free list, by its own PageInfo."""
        return self.links[index] <= self.end

    def state(self, index):
        """A frame's state in words."""
        if not self.initialised:
            return "not set yet"
        link, count = self.links[index], self.refs[index]
        if self.is_free(index):
            return "free"
        return f"{'reserved' if link == self.reserved else 'in use'}, pp_ref {count}"

    def uses(self, pa):
        """The pp_ref of the frame at a physical address."""
        return self.refs[(pa - self.facts.map["physical"]["PHYS_BASE"]) // self.facts.page_size]

    def find_head(self):
        """The first free frame: the allocator's own value, or else the free frame that no other frame links to."""
        if self.head is not None:
            return self.head
        linked = {link for link in self.links if link < self.end}
        return next((i for i in range(len(self)) if self.is_free(i) and i not in linked), self.end)

    def free_list(self):
        """The free list from its head on, up to the first error."""
        frames, seen, index = [], set(), self.find_head()
        before = None
        while index != self.end:
            if index >= len(self):
                return FreeList(frames, f"the link after page {frames[-1] if frames else '?'} leads out of pages")
            if index in seen:
                return FreeList(frames, f"it runs in a circle, back to page {index}")
            if not self.is_free(index):
                return FreeList(frames, f"page {index} is on it, but {self.state(index)}")
            if before is not None and self.refs[index] != before:
                return FreeList(frames, f"page {index} comes after page {before}, but links back to page {self.refs[index]}")
            before = index
            seen.add(index)
            frames.append(index)
            index = self.links[index]
        return FreeList(frames, "")

    def counts(self):
        """The numbers of free, used and reserved frames."""
        free = sum(link <= self.end for link in self.links)
        reserved = self.links.count(self.reserved)
        return free, len(self) - free - reserved, reserved


def info_text(facts, link, count):
    """A PageInfo, as the pretty printer shows it. For a free page, `count` is the link to the page before."""
    info = facts.page_info
    if link == info["RESERVED"]:
        return f"reserved, pp_ref {count}"
    if link == info["IN_USE"]:
        return f"in use, pp_ref {count}"
    return "free, the last on the list" if link == info["END"] else f"free, next page {link}"


def ascending(frames):
    """A list of frames cut into runs of neighbours, (first, last), upwards or downwards."""
    runs = []
    for frame in frames:
        first, last = runs[-1] if runs else (None, None)
        if runs and (frame - last == 1 and first <= last or frame - last == -1 and first >= last):
            runs[-1] = (first, frame)
        else:
            runs.append((frame, frame))
    return runs
