#!/usr/bin/env python3
"""Makes the README's pictures: the pages of `make picture` and `make film` in Chromium, and QEMU's screen.

usage: screenshots.py FOLDER -- QEMU OPTIONS...

`make screenshots` calls this once both pages are made. pngquant keeps the files small.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import capture
import webdriver

LIMIT = 150_000  # bytes of a file
SECONDS = 60  # until the prompt
# The lines typed at the prompt before the screenshot.
TYPED = ("clear", "translate KERNBASE+0x100123", "pages")
HOVER = """
  const svg = document.getElementById("closeup"), { columns, size } = svg.geometry;
  const at = new DOMPoint((arguments[0] % columns + 0.5) * size, (Math.floor(arguments[0] / columns) + 0.5) * size);
  const { x, y } = at.matrixTransform(svg.getScreenCTM());
  return [x, y];"""


def pages(folder):
    """The pages: free and used frames; an opened tree in dark colours; a moment of the film; three environments."""
    obj = Path("obj", os.environ.get("ARCH") or "x86_64").resolve()
    picture, film, environments = ((obj / f"{name}.html").as_uri() for name in ("picture", "film", "environments"))
    with webdriver.Browser() as browser:
        browser.size(1280, 800)
        browser.scheme("light")
        browser.open(picture)
        browser.point(*browser.run(HOVER, 430))
        yield folder / "picture-light.png", browser.screenshot()
        browser.scheme("dark")
        browser.click("button.open")
        browser.run("document.querySelector('.directory').scrollIntoView()")
        yield folder / "picture-tree.png", browser.screenshot()
        browser.scheme("light")
        browser.open(film)
        browser.run("""
            const steps = [...document.querySelectorAll("[data-step]")];
            steps.find((step) => step.textContent === arguments[0]).click();""", "boot_map_region (5): kernel stack")
        yield folder / "film.png", browser.screenshot()
        browser.open(environments)
        browser.run("window.scrollTo(0, document.getElementById('sharing').getBoundingClientRect().top - 300)")
        yield folder / "environments.png", browser.screenshot()


def screen(folder, command):
    """The monitor on QEMU's screen."""
    with tempfile.TemporaryDirectory(prefix="jos64-") as name, contextlib.ExitStack() as stack:
        options = ["-display", "none", "-monitor", f"unix:{name}/monitor,server=on,wait=off",
                   "-serial", f"unix:{name}/serial,server=on,wait=on"]
        qemu = capture.start(stack, [*command, *options], Path(name) / "qemu.txt")
        serial, monitor = (connect(stack, f"{name}/{kind}", qemu) for kind in ("serial", "monitor"))
        until(serial, b"K> ")
        for typed in TYPED:
            serial.sendall(typed.encode() + b"\r")
            until(serial, b"K> ")
        until(monitor, b"(qemu) ")
        monitor.sendall(f"screendump {name}/screen.png -f png\n".encode())
        until(monitor, b"(qemu) ")
        return folder / "monitor.png", Path(name, "screen.png").read_bytes()


def connect(stack, path, qemu):
    """A connection to a socket on which QEMU listens."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and qemu.poll() is None:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(SECONDS)
        try:
            connection.connect(path)
            return stack.enter_context(connection)
        except OSError:
            connection.close()
            time.sleep(0.05)
    raise capture.Failed("QEMU did not start")


def until(connection, end):
    """Reads up to a prompt."""
    said = b""
    while not said.endswith(end):
        more = connection.recv(4096)
        if not more:
            raise capture.Failed(f"QEMU ended after it said: {said!r}")
        said += more
    return said


def keep(path, picture):
    """Compresses a picture and writes it."""
    done = subprocess.run(["pngquant", "--quality", "70-100", "--speed", "1", "-"], input=picture,
                          stdout=subprocess.PIPE, check=True)
    if len(done.stdout) >= LIMIT:
        raise capture.Failed(f"{path} would have {len(done.stdout)} bytes, {LIMIT} are the most")
    path.write_bytes(done.stdout)
    print(f"{path}: {len(done.stdout) // 1024} KB")


def main(words):
    """The command line."""
    if len(words) < 3 or words[1] != "--":
        sys.exit(__doc__.split("\n\n")[1])
    folder = Path(words[0]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for path, picture in pages(folder):
            keep(path, picture)
        keep(*screen(folder, words[2:]))
    except (capture.Failed, webdriver.Refused) as problem:
        sys.exit(f"screenshots: {problem}")


if __name__ == "__main__":
    main(sys.argv[1:])
