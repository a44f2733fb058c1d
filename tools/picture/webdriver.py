"""A small client of WebDriver (https://www.w3.org/TR/webdriver2/), by which the pictures are tried in Chromium."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the standard's name for a reference
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# No window, no graphics processor, and no request of the browser's own.
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")
SECONDS = 30  # for an answer


def browser():
    """The path of a Chromium, if there is one and a chromedriver beside it."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return found if found and shutil.which("chromedriver") else None


class Refused(Exception):
    """The browser could not do it."""


class Browser:
    """A browser with one page, for as long as the `with` lasts."""

    def __init__(self):
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="jos64-", ignore_cleanup_errors=True))
            self.port = self._start(Path(folder) / "driver.log")
            options = {"binary": browser(), "args": [*FLAGS, f"--user-data-dir={folder}/profile"]}
            logs = {"browser": "ALL", "performance": "ALL"}
            wish = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs}
            answer = self._ask("POST", "", {"capabilities": {"alwaysMatch": wish}})
            self.session = f"/{answer['sessionId']}"
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError, Refused):
            self._ask("DELETE", self.session)
        self.stack.close()

    def _start(self, log):
        """Starts chromedriver on a port of its own choice, and returns that."""
        with open(log, "wb") as output:
            driver = subprocess.Popen(["chromedriver", "--port=0"], stdin=subprocess.DEVNULL, stdout=output,
                                      stderr=output, start_new_session=True)
        self.stack.callback(stop, driver)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and driver.poll() is None:
            words = log.read_text().split("started successfully on port ")
            if len(words) > 1 and "." in words[1]:
                return int(words[1].split(".")[0])
            time.sleep(0.05)
        raise Refused(f"chromedriver did not start: {log.read_text().strip()}")

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            data = json.dumps(body) if body is not None else None
            connection.request(method, f"/session{path}", data, {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        if isinstance(value, dict) and "error" in value:
            raise Refused(value["message"])
        return value

    def post(self, path, **body):
        """Asks for something to be done."""
        return self._ask("POST", self.session + path, body)

    def open(self, page):
        """Goes to an address, from the beginning even where it is the same but for what follows a #."""
        self.post("/url", url="about:blank")
        self.logs()
        self.post("/url", url=page)

    def run(self, script, *arguments):
        """What a function with this body returns in the page."""
        return self.post("/execute/sync", script=script, args=list(arguments))

    def find(self, selector):
        """The first element that a CSS selector names."""
        return self.post("/element", using="css selector", value=selector)[ELEMENT]

    def click(self, selector):
        """Clicks on the middle of an element, as a user does."""
        self.post(f"/element/{self.find(selector)}/click")

    def type(self, selector, keys):
        """Focuses an element and types."""
        self.post(f"/element/{self.find(selector)}/value", text=keys)

    def point(self, x, y):
        """Moves the mouse to a point of the window."""
        move = {"type": "pointerMove", "duration": 0, "x": x, "y": y, "origin": "viewport"}
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [move]}
        self.post("/actions", actions=[mouse])

    def chromium(self, command, **parameters):
        """A command of Chromium's own protocol."""
        return self.post("/goog/cdp/execute", cmd=command, params=parameters)

    def size(self, width, height):
        """Gives the page this many CSS pixels; a window has a least width, this has none."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.chromium("Emulation.setDeviceMetricsOverride", **screen)

    def scheme(self, name):
        """The user's liking: light or dark."""
        self.chromium("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self):
        """What is to be seen, as PNG."""
        return base64.b64decode(self._ask("GET", f"{self.session}/screenshot"))

    def logs(self):
        """(what the page said to the console, which addresses it asked for) since the last call."""
        said = [entry["message"] for entry in self.post("/se/log", type="browser")]
        events = [json.loads(entry["message"])["message"] for entry in self.post("/se/log", type="performance")]
        asked = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return said, [parameters["request"]["url"] for parameters in asked]


def stop(process):
    """Ends a process and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
