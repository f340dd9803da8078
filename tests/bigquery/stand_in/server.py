"""The HTTP side of the stand-in."""

from __future__ import annotations

import gzip
import json
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlparse

from tests.bigquery.stand_in.statements import RefusedError
from tests.bigquery.stand_in.store import Store

PAGE = 20_000
STATUS = {404: "NOT_FOUND", 409: "ALREADY_EXISTS", 403: "PERMISSION_DENIED"}


def error_body(code: int, reason: str, message: str) -> dict[str, Any]:
    """Return an error as the service words it."""
    told = {"reason": reason, "message": message, "domain": "global"}
    return {"error": {"code": code, "message": message, "errors": [told], "status": STATUS.get(code, "INVALID_ARGUMENT")}}


class StandIn(ThreadingHTTPServer):
    """A server on a free port."""

    daemon_threads = True

    def __init__(self, project: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = Store(project)
        self.uploads: dict[str, tuple[dict[str, Any], bytearray]] = {}

    @property
    def address(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        """Stop serving and close the store."""
        self.shutdown()
        self.server_close()
        self.store.connection.close()


def serve(project: str) -> StandIn:
    """Start a server in a thread."""
    server = StandIn(project)
    threading.Thread(target=server.serve_forever, name="stand-in", daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: StandIn
    UPLOAD: ClassVar = re.compile(r"(?:/resumable)?/upload/bigquery/v2/projects/[^/]+/jobs$")
    API: ClassVar = re.compile(r"/bigquery/v2/projects/([^/]+)/(.*)$")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _send(self, code: int, body: Any, headers: tuple[tuple[str, str], ...] = ()) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def _answer(self) -> None:
        url = urlparse(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        try:
            path = unquote(url.path)
            if self.UPLOAD.match(path):
                self._upload(path, query, raw)
                return
            match = self.API.match(path)
            if not match:
                raise RefusedError(404, "notFound", path)
            body = json.loads(raw) if raw else {}
            with self.server.store.lock:
                answer = self._route(match.group(2).split("/"), query, body)
            self._send(200, answer)
        except RefusedError as error:
            self._send(error.code, error_body(error.code, error.reason, error.message))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the library's names

    def _upload(self, path: str, query: dict[str, str], raw: bytes) -> None:
        store = self.server.store
        if query["uploadType"] == "multipart":
            found = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])
            assert found
            parts = raw.split(b"--" + found.group(1).encode())
            data = parts[2].split(b"\r\n\r\n", 1)[1]
            body = json.loads(parts[1].split(b"\r\n\r\n", 1)[1])
            self._send(200, _public(store.submit(body, data.removesuffix(b"\r\n"))))
            return
        if self.command == "POST":
            upload = uuid.uuid4().hex
            self.server.uploads[upload] = (json.loads(raw), bytearray())
            location = f"http://{self.headers['Host']}{path}?uploadType=resumable&upload_id={upload}"
            self._send(200, {}, (("Location", location),))
            return
        body, buffer = self.server.uploads[query["upload_id"]]
        buffer += raw
        self._send(200, _public(store.submit(body, bytes(buffer))))

    def _route(self, parts: list[str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        store = self.server.store
        if parts[0] == "jobs":
            if self.command == "POST" and len(parts) == 1:
                job = store.submit(body)
                if "_error" in job and job["_error"].code == 400 and job["_error"].message.startswith("Syntax error"):
                    raise job["_error"]
                return _public(job)
            if len(parts) == 1:
                first = int(query.get("minCreationTime") or 0)
                return {"jobs": [_public(job) for job in list(store.jobs.values()) if int(job["statistics"]["creationTime"]) >= first]}
            return _public(store.job(parts[1]))
        if parts[0] == "queries":
            start = int(query.get("pageToken") or query.get("startIndex") or 0)
            return store.results(parts[1], start, int(query.get("maxResults") or PAGE))
        if parts[0] == "datasets":
            return self._dataset(parts, body)
        raise RefusedError(404, "notFound", "/".join(parts))

    def _dataset(self, parts: list[str], body: dict[str, Any]) -> dict[str, Any]:
        store = self.server.store
        if len(parts) == 1:
            refs = [{"projectId": store.project, "datasetId": name} for name in store.datasets()]
            return {"kind": "bigquery#datasetList", "datasets": [{"datasetReference": ref} for ref in refs]}
        if len(parts) == 2:
            if parts[1] not in store.datasets():
                raise RefusedError(404, "notFound", f"Not found: Dataset {store.project}:{parts[1]}")
            return {"kind": "bigquery#dataset", "datasetReference": {"projectId": store.project, "datasetId": parts[1]}, "location": "US"}
        if len(parts) == 3 and self.command == "POST" and (parts[1], "bigquery.tables.create") not in store.denied:
            return store.create(body)
        if len(parts) == 4 and parts[3].endswith(":testIamPermissions"):
            store.table(parts[1], parts[3].partition(":")[0])
            return {"permissions": [name for name in body["permissions"] if (parts[1], name) not in store.denied]}
        if len(parts) == 3:
            raise RefusedError(403, "accessDenied", f"Access Denied: Dataset {parts[1]}")
        if len(parts) == 4 and self.command == "GET" and (parts[1], "bigquery.tables.get") in store.denied:
            raise RefusedError(403, "accessDenied", f"Access Denied: Table {parts[1]}.{parts[3]}")
        if len(parts) == 4 and self.command == "PATCH":
            return store.change(parts[1], parts[3], body)
        if len(parts) == 4:
            return store.drop(parts[1], parts[3]) if self.command == "DELETE" else store.table(parts[1], parts[3])
        raise RefusedError(404, "notFound", "/".join(parts))


def _public(job: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in job.items() if not name.startswith("_")}
