"""Headless Chromium without a network: what a page draws, what it says on its console, and whom it tries to reach."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONSOLE = re.compile(r'CONSOLE[:(]\d+\)?\]? "(.*?)", source')
OWN = re.compile(r"^(?:CONNECT |[A-Z]+ https?://)[\w.-]*\.(?:google|googleapis|gstatic)\.com[:/]")
"""What the browser asks for itself, whatever page is open: its clock, its updates."""
PROBE = "<script>setTimeout(() => { document.body.dataset.loaded = performance.getEntriesByType('resource').length; }, 8000)</script>"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
    # Every request that is not for this machine meets the recorder, which answers nothing.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--proxy-bypass-list=<-loopback>",
)


def chromium() -> str | None:
    """Return the browser's name on this machine, or None."""
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Visit:
    """A page as the browser left it: its document, its console, and the first lines of requests that left it."""

    document: str
    loaded: int
    console: tuple[str, ...]
    requests: tuple[str, ...]


@contextmanager
def recorder() -> Iterator[tuple[int, list[str]]]:
    """Listen as a proxy and write down the first line of whatever comes; nothing is passed on."""
    heard: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.2)
    stop = threading.Event()

    def listen() -> None:
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(2)
                try:
                    heard.append(connection.recv(4096).split(b"\r\n", 1)[0].decode("latin-1"))
                except TimeoutError:
                    heard.append("a connection without a word")

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1], heard
    finally:
        stop.set()
        thread.join()
        server.close()


def visit(page: Path, profile: Path, fragment: str = "", dark: bool = False, screenshot: Path | None = None, width: int = 1280) -> Visit:
    """Open a file and return what came of it; `screenshot` also draws it into a PNG."""
    browser = chromium()
    assert browser
    # The page itself says what it has loaded besides itself; the probe comes after its last script.
    probed = profile.with_suffix(".html")
    probed.write_text(page.read_text(encoding="utf-8") + PROBE, encoding="utf-8")
    target = probed.resolve().as_uri() + fragment
    with recorder() as (port, heard):
        flags = [*FLAGS, f"--user-data-dir={profile}", f"--proxy-server=http://127.0.0.1:{port}", f"--window-size={width},2000"]
        flags += ["--blink-settings=preferredColorScheme=0"] if dark else []
        flags += [f"--screenshot={screenshot}"] if screenshot else ["--dump-dom"]
        done = subprocess.run([browser, *flags, target], capture_output=True, text=True, timeout=240, check=True)
    loaded = re.search(r'data-loaded="(\d+)"', done.stdout)
    requests = tuple(line for line in heard if not OWN.match(line))
    return Visit(done.stdout, int(loaded.group(1)) if loaded else -1, tuple(CONSOLE.findall(done.stderr)), requests)
