"""A small client of WebDriver (https://www.w3.org/TR/webdriver2/), which tests the pictures in Chromium."""

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
# No window, no graphics processor, and no requests by the browser itself.
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")
SECONDS = 30  # for an answer


def browser():
    """The path of Chromium, if both it and chromedriver are installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return found if found and shutil.which("chromedriver") else None


class Refused(Exception):
    """Raised if the browser reports an error."""


class Browser:
    """A context manager: a browser with one page."""

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
        """Starts chromedriver on a port of its own choice, and returns the port."""
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
        """Sends a POST request of the session."""
        return self._ask("POST", self.session + path, body)

    def open(self, page):
        """Loads an address anew, even if only the part after the # differs."""
        self.post("/url", url="about:blank")
        self.logs()
        self.post("/url", url=page)

    def run(self, script, *arguments):
        """The result of a function with this body, run in the page."""
        return self.post("/execute/sync", script=script, args=list(arguments))

    def find(self, selector):
        """The first element that a CSS selector names."""
        return self.post("/element", using="css selector", value=selector)[ELEMENT]

    def click(self, selector):
        """Clicks on the middle of an element, like a user."""
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
        """Sets the page's size in CSS pixels; unlike a window's, it can be arbitrarily narrow."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.chromium("Emulation.setDeviceMetricsOverride", **screen)

    def scheme(self, name):
        """Sets the user's preference: light or dark."""
        self.chromium("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self):
        """The visible part of the page, as PNG."""
        return base64.b64decode(self._ask("GET", f"{self.session}/screenshot"))

    def logs(self):
        """(the page's messages on the console, the requested addresses) since the last call."""
        said = [entry["message"] for entry in self.post("/se/log", type="browser")]
        events = [json.loads(entry["message"])["message"] for entry in self.post("/se/log", type="performance")]
        asked = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return said, [parameters["request"]["url"] for parameters in asked]


def stop(process):
    """Ends a process and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
