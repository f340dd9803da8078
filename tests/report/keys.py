"""Keys pressed in headless Chromium through its own protocol on loopback: what has the focus, what it looks like, where a key leads."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.report.browser import FLAGS, chromium

LISTENING = re.compile(r"DevTools listening on (ws://\S+)")
KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Space": ("Space", 32, " "),
    "ArrowLeft": ("ArrowLeft", 37, ""),
}
SHIFT = 8
FOCUSED = """(() => {
  const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
  return {
    tag: one.tagName, text: (one.textContent || "").trim().slice(0, 60), href: one.getAttribute("href"), id: one.id,
    label: one.getAttribute("aria-label"), place: [...document.querySelectorAll("*")].indexOf(one),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
})()"""


class Keyboard:
    """A page that is met by its keys alone."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._asked = connection, 0

    def ask(self, method: str, **params: Any) -> Any:
        """Return what the browser answers."""
        self._asked += 1
        self._connection.send(json.dumps({"id": self._asked, "method": method, "params": params}))
        while True:
            told = json.loads(self._connection.recv(timeout=30))
            if told.get("id") == self._asked:
                assert "error" not in told, told["error"]
                return told["result"]

    def value(self, script: str) -> Any:
        """Return what a script yields."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until a script yields something true."""
        until = time.monotonic() + 60
        while not self.value(script):
            assert time.monotonic() < until, f"never: {script}"
            time.sleep(0.05)

    def focus_on(self, name: str) -> None:
        """Wait until an element has the focus: a browser follows a link when it likes, after the key."""
        self.wait(f"document.activeElement.id === {json.dumps(name)}")

    def open(self, page: Path) -> None:
        """Open a file anew, as if for the first time."""
        self.ask("Page.navigate", url="about:blank")
        self.wait("location.protocol === 'about:'")
        self.ask("Page.navigate", url=page.resolve().as_uri())
        self.wait("location.protocol === 'file:' && document.documentElement?.dataset.drawn === 'yes'")

    def press(self, key: str, back: bool = False) -> dict[str, Any]:
        """Press a key and let go of it; return what has the focus then."""
        code, number, text = KEYS[key]
        given = {"key": text if key == "Space" else code, "code": code, "windowsVirtualKeyCode": number, "modifiers": SHIFT if back else 0}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **given, **({"text": text} if text else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", **given)
        found: dict[str, Any] = self.value(FOCUSED)
        return found


@contextmanager
def opened(page: Path, profile: Path) -> Iterator[Keyboard]:
    """Open a file; the browser ends with the block."""
    browser = chromium()
    assert browser
    flags = [flag for flag in FLAGS if not flag.startswith(("--virtual-time", "--proxy"))]
    command = [browser, *flags, f"--user-data-dir={profile}", "--remote-debugging-port=0", "--window-size=1280,900", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        found = next(match for line in process.stderr if (match := LISTENING.search(line)))
        with connect(found[1], max_size=None) as browser_wide:
            targets = Keyboard(browser_wide).ask("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        with connect(f"{found[1].split('/devtools')[0]}/devtools/page/{target}", max_size=None) as connection:
            keyboard = Keyboard(connection)
            # Without motion the page is where it is going at once.
            keyboard.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
            keyboard.open(page)
            yield keyboard
    finally:
        process.kill()
        process.wait(30)
        if process.stderr:
            process.stderr.close()
