"""Receivers on this machine: one that takes what it is sent, one that refuses, one that never answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """An address and what arrived there."""

    port: int
    taken: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200

    def address(self, path: str = "hooks/s3cret-t0ken") -> str:
        return f"json://127.0.0.1:{self.port}/{path}"


@contextmanager
def listening() -> Iterator[Receiver]:
    """Yield a server that takes JSON and answers with its status."""
    receiver = Receiver(0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.status == 200:
                receiver.taken.append(json.loads(body))
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silent() -> Iterator[Receiver]:
    """Yield a server that accepts a connection and then says nothing, for ever."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen(50)
        yield Receiver(door.getsockname()[1])


def dead() -> Receiver:
    """Return an address where nobody listens."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return Receiver(door.getsockname()[1])
