"""A proxy in front of the BigQuery emulator: what that cannot do of the protocol is asked of it in another way.

The official client talks to the proxy, the emulator analyses and runs every statement. Loads and new tables become statements,
results written to a table become INSERT, and what it answers without a type, a state or a view's query is completed.
"""

from __future__ import annotations

import gzip
import http.client
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.bigquery.emulator import processes
from tests.bigquery.emulator.translation import bound, column_type, inserted, translated
from tests.bigquery.stand_in.server import error_body

DROPPED = {"connection", "keep-alive", "transfer-encoding", "host", "accept-encoding", "content-length"}
ROWS_OF_A_LOAD = 200
VIEW = re.compile(r"CREATE OR REPLACE VIEW `([^`]+)` AS\n(.*)", re.DOTALL)
DATASET = re.compile(r"CREATE SCHEMA IF NOT EXISTS `([^`.]+)\.([^`]+)`")
API = "/bigquery/v2/projects"


class Front(ThreadingHTTPServer):
    """The proxy on a free port."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.views: dict[str, str] = {}
        self.failures: list[tuple[str, str]] = []
        """What the emulator could not do, with the statement."""
        self.jobs: dict[str, dict[str, Any]] = {}
        """Jobs by id, as the service keeps them: an id is taken once, whatever became of it."""
        self.executed: list[str] = []
        """Ids of the jobs that were run, in their order."""
        self.lock = threading.Lock()
        self.asked = 0

    @property
    def address(self) -> str:
        """Address of the proxy."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, Any, bytes]:
        """Send a request to the emulator; return status, headers and body of its answer."""
        connection = http.client.HTTPConnection(self.behind, timeout=300)
        try:
            connection.request(method, path, body, headers or {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def run(self, project: str, sql: str) -> dict[str, Any] | None:
        """Run a statement of the proxy's own; return the error, if there is one."""
        with self.lock:
            self.asked += 1
            job = {"configuration": {"query": {"query": sql, "useLegacySql": False}}, "jobReference": {"jobId": f"front_{self.asked}"}}
        job["jobReference"]["projectId"] = project
        _, _, data = self.ask("POST", f"{API}/{project}/jobs", json.dumps(job).encode())
        answer = json.loads(data)
        found: dict[str, Any] | None = answer.get("error") or answer["status"].get("errorResult")
        if found:
            self.failures.append((found["message"], sql))
        return found

    def fields(self, ref: dict[str, str]) -> list[dict[str, Any]]:
        """Return the fields of a table."""
        path = f"{API}/{ref['projectId']}/datasets/{ref['datasetId']}/tables/{ref['tableId']}"
        found: list[dict[str, Any]] = json.loads(self.ask("GET", path)[2])["schema"]["fields"]
        return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Front

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _reply(self, status: int, headers: Any, data: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in DROPPED:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def _json(self, status: int, body: Any) -> None:
        self._reply(status, [("Content-Type", "application/json")], json.dumps(body).encode())

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
        if headers.pop("Content-Encoding", None) == "gzip":
            body = gzip.decompress(body)
        path = self.path.split("?")[0]
        job = re.fullmatch(rf"{API}/[^/]+/jobs/([^/]+)", path)
        if "/upload/" in path:
            self._load(body)
        elif self.command == "GET" and job and job[1] in self.server.jobs:
            self._json(200, self.server.jobs[job[1]])
        elif self.command == "PATCH":
            # The emulator answers without the table's name. It forgets every table at its end, whatever expiry one is given.
            status, kept, data = self.server.ask("GET", path)
            self._reply(status, kept, json.dumps({**json.loads(data), **json.loads(body)}).encode())
        elif self.command == "POST" and path.endswith("/tables"):
            self._new_table(path, json.loads(body))
        elif self.command == "POST" and path.endswith("/jobs"):
            self._job(path, json.loads(body), headers)
        else:
            self._forward(path, body, headers)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the library's names

    def _forward(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        target = self.path
        if self.command == "GET" and ("/queries/" in path or path.endswith("/data")) and "useInt64Timestamp" not in target:
            # Otherwise instants come as seconds with a fraction, which the client does not read.
            target += f"{'&' if '?' in target else '?'}formatOptions.useInt64Timestamp=true"
        status, kept, data = self.server.ask(self.command, target, body, headers)
        table = re.fullmatch(rf"{API}/([^/]+)/datasets/(\w+)/tables/(\w+)", path)
        view = self.server.views.get(".".join(table.groups())) if table else None
        if self.command == "GET" and status == 200 and view:
            data = json.dumps({**json.loads(data), "type": "VIEW", "view": {"query": view, "useLegacySql": False}}).encode()
        self._reply(status, kept, data)

    def _new_table(self, path: str, resource: dict[str, Any]) -> None:
        ref = resource["tableReference"]
        there, _, _ = self.server.ask("GET", f"{path}/{ref['tableId']}")
        if there == 200:
            self._json(409, error_body(409, "duplicate", f"Already Exists: Table {ref['tableId']}"))
            return
        columns = ", ".join(f"`{field['name']}` {column_type(field)}" for field in resource["schema"]["fields"])
        failed = self.server.run(ref["projectId"], f"CREATE TABLE `{ref['projectId']}.{ref['datasetId']}.{ref['tableId']}` ({columns})")
        if failed:
            self._json(400, error_body(400, "invalid", failed["message"]))
            return
        self._reply(*self.server.ask("GET", f"{path}/{ref['tableId']}"))

    def _load(self, body: bytes) -> None:
        import pyarrow.parquet as pq

        boundary = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])
        assert boundary, "loads of the tests are small enough for one request"
        _, told, sent, _ = body.split(b"--" + boundary[1].encode())
        job = json.loads(told.split(b"\r\n\r\n", 1)[1])
        if self._is_taken(job):
            return
        load = job["configuration"]["load"]
        ref = load["destinationTable"]
        rows = pq.read_table(io.BytesIO(sent.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n"))).to_pylist()
        fields, path, failed = load["schema"]["fields"], f"{ref['projectId']}.{ref['datasetId']}.{ref['tableId']}", None
        if load.get("createDisposition") != "CREATE_NEVER":
            columns = ", ".join(f"`{field['name']}` {column_type(field)}" for field in fields)
            failed = self.server.run(ref["projectId"], f"CREATE TABLE IF NOT EXISTS `{path}` ({columns})")
        for at in range(0, len(rows), ROWS_OF_A_LOAD):
            failed = failed or self.server.run(ref["projectId"], inserted(path, fields, rows[at : at + ROWS_OF_A_LOAD]))
        job["status"] = {"state": "DONE", **({"errorResult": failed, "errors": [failed]} if failed else {})}
        now = str(int(time.time() * 1000))
        job["statistics"] = {"load": {"outputRows": str(len(rows))}, "creationTime": now, "startTime": now, "endTime": now}
        self.server.jobs[job["jobReference"]["jobId"]] = job
        self._json(200, job)

    def _is_taken(self, job: dict[str, Any]) -> bool:
        """Refuse a job whose id has been used; TRUE when it has."""
        job_id = (job.get("jobReference") or {}).get("jobId", "")
        if job_id in self.server.jobs:
            self._json(409, error_body(409, "duplicate", f"Already Exists: Job {job_id}"))
            return True
        self.server.executed.append(job_id)
        return False

    def _job(self, path: str, job: dict[str, Any], headers: dict[str, str]) -> None:
        if self._is_taken(job):
            return
        server, query = self.server, job["configuration"]["query"]
        given = query["query"]
        view, dataset = VIEW.match(given), DATASET.match(given)
        if dataset:
            project, name = dataset.groups()
            made = json.dumps({"datasetReference": {"projectId": project, "datasetId": name}}).encode()
            server.ask("POST", f"{API}/{project}/datasets", made)
        query["query"] = "SELECT 1 AS one" if dataset else bound(translated(given), query.pop("queryParameters", []))
        target = query.pop("destinationTable", None)
        if target:
            columns = ", ".join(f"`{field['name']}`" for field in server.fields(target))
            into = f"{target['projectId']}.{target['datasetId']}.{target['tableId']}"
            query["query"] = f"INSERT INTO `{into}` ({columns})\n{query['query']}"
        status, kept, data = server.ask("POST", path, json.dumps(job).encode(), headers)
        answer = json.loads(data)
        failed = answer.get("error") or answer.get("status", {}).get("errorResult")
        if failed:
            server.failures.append((failed["message"], query["query"]))
        elif view:
            server.views[view[1]] = view[2]
        if "error" not in answer:
            # The emulator counts these in seconds.
            now = str(int(time.time() * 1000))
            answer["statistics"] |= {"creationTime": now, "startTime": now, "endTime": now}
            server.jobs[answer["jobReference"]["jobId"]] = answer
            data = json.dumps(answer).encode()
        self._reply(status, kept, data)


@contextmanager
def emulated(folder: Path, project: str) -> Iterator[Front]:
    """Run the emulator with the proxy in front of it."""
    port, grpc = processes.free_port(), processes.free_port()
    program = processes.program("bigquery-emulator")
    command = [program, f"--project={project}", "--host=127.0.0.1", f"--port={port}", f"--grpc-port={grpc}", "--log-level=error"]
    with processes.running(command, port, folder):
        front = Front(f"127.0.0.1:{port}")
        threading.Thread(target=front.serve_forever, name="front", daemon=True).start()
        try:
            yield front
        finally:
            front.shutdown()
            front.server_close()
