"""A proxy between the client and the server that cuts, delays and refuses."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlparse

from tests.bigquery.stand_in.server import error_body

REASONS = {
    403: "accessDenied",
    404: "notFound",
    409: "duplicate",
    429: "rateLimitExceeded",
    500: "internalError",
    503: "backendError",
}
DROPPED = {"connection", "keep-alive", "transfer-encoding", "host", "accept-encoding"}


@dataclass
class Fault:
    """What happens to the next `times` requests that match: `action` is cut_before, cut_after, cut_during, slow or a status."""

    matches: Callable[[str, str], bool]
    action: str | int
    times: int = 1
    seconds: float = 0.0
    met: int = 0


@dataclass
class Traffic:
    """Faults to come and the requests that went through."""

    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault_for(self, method: str, path: str) -> Fault | None:
        """Return the fault this request meets."""
        with self.lock:
            for fault in self.faults:
                if fault.met < fault.times and fault.matches(method, path):
                    fault.met += 1
                    return fault
        return None


class Proxy(ThreadingHTTPServer):
    """Forwards to the address behind it."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlparse(behind).netloc
        self.traffic = Traffic()

    @property
    def address(self) -> str:
        """Address of the proxy."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, action: str | int, matches: Callable[[str, str], bool], times: int = 1, seconds: float = 0.0) -> Fault:
        """Plant a fault and return it."""
        fault = Fault(matches, action, times, seconds)
        self.traffic.faults.append(fault)
        return fault


@contextmanager
def proxied(behind: str) -> Iterator[Proxy]:
    """Run a proxy for the block."""
    proxy = Proxy(behind)
    threading.Thread(target=proxy.serve_forever, name="proxy", daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.traffic.fault_for(self.command, self.path)
        action = fault.action if fault else None
        if action == "cut_before":
            self._cut()
            return
        if isinstance(action, int):
            self._reply(action, {}, json.dumps(error_body(action, REASONS[action], f"planted {action}")).encode())
            return
        upstream = http.client.HTTPConnection(self.server.behind, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            data = answer.read()
        finally:
            upstream.close()
        self.server.traffic.requests.append((self.command, self.path))
        if fault and action == "slow":
            time.sleep(fault.seconds)
        if action == "cut_after":
            self._cut()
            return
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in {*DROPPED, "content-length"}}
        kept = {name: value.replace(self.server.behind, self.headers["Host"]) for name, value in kept.items()}
        self._reply(answer.status, kept, data, half=action == "cut_during")

    def _reply(self, status: int, headers: dict[str, str], data: bytes, half: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(data[: len(data) // 2] if half else data)
            self.wfile.flush()
        except OSError:
            return
        if half:
            self._cut()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 - the library's names
