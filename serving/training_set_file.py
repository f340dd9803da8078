"""Training sets as files: Parquet with a manifest beside it, replayed and compared."""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.code_version import code_version
from schemas.errors import StorageUnavailableError, UsageError
from serving.training_set import TrainingSet, training_set
from serving.training_set_manifest import Difference, differences, manifest_of, manifest_path, read_manifest, stable_head
from serving.training_set_request import request_from
from transformations.render import definition_version
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore

HEAD = b"nba_features.training_set"
ROW_GROUP = 65_536
BLOCK = 1 << 20


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _write_whole(path: Path, rows: pa.Table) -> None:
    """Write the rows so that equal rows give equal bytes: one order, one compression, groups of one size, no clock."""
    import pyarrow.parquet as pq

    pq.write_table(rows, path, compression="zstd", row_group_size=ROW_GROUP, use_dictionary=["player_lookup", "game_id", "result"])


def write_training_set(made: TrainingSet, out: Path) -> dict[str, Any]:
    """Write the rows and, beside them, the manifest, each whole or not at all; return the manifest.

    Raises:
        StorageUnavailableError: a file cannot be written; what lay there before is still there.
    """
    import pyarrow as pa

    partials = [path.with_name(f".{path.name}.partial") for path in (out, manifest_path(out))]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.is_dir():
            raise IsADirectoryError(f"{out} is a folder")
        head = json.dumps(stable_head(made), sort_keys=True).encode()
        _write_whole(partials[0], made.rows.replace_schema_metadata({HEAD: head}))
        result = {"file": out.name, "bytes": partials[0].stat().st_size, "sha256": _sha256(partials[0])}
        manifest = manifest_of(made, code_version(), definition_version(), f"pyarrow {pa.__version__}", result)
        partials[1].write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        # Should the second step not come about, the old manifest's hash says that the file is another.
        partials[0].replace(out)
        partials[1].replace(manifest_path(out))
    except OSError as error:
        for partial in partials:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        raise StorageUnavailableError("the training set cannot be written", [error], "nothing was changed") from None
    return manifest


def beside(path: Path, manifest: dict[str, Any]) -> list[Difference]:
    """Return how the file beside a manifest differs from what it says; nothing when the file is not there."""
    file = path.with_name(manifest["result"]["file"])
    if not file.is_file():
        return []
    found = _sha256(file)
    if found == manifest["result"]["sha256"]:
        return []
    return [Difference(f"file {file.name} beside the manifest", manifest["result"]["sha256"], found, True)]


def replay(warehouse: Warehouse, store: FeatureStore, path: Path, out: Path | None = None) -> tuple[dict[str, Any], list[Difference]]:
    """Make the set of a manifest again, into `out` or to be thrown away; return the new manifest and what differs.

    Raises:
        UsageError: the file is no manifest, the output is the very file it describes, or no row is clean any more.
    """
    before = read_manifest(path)
    if out is not None and out.absolute() == path.with_name(before["result"]["file"]).absolute():
        raise UsageError("a replay does not write over what it is compared with", [out], "name another file")
    found = beside(path, before)
    made = training_set(warehouse, store, request_from(before["request"]))
    with tempfile.TemporaryDirectory() as scratch:
        after = write_training_set(made, out or Path(scratch) / before["result"]["file"])
    return after, found + differences(before, after)


def read_head(path: Path) -> dict[str, Any]:
    """Return what a training set's Parquet file says of itself; raise `UsageError` when it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        stored = (pq.read_schema(path).metadata or {}).get(HEAD)
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError("the training set cannot be read", [path, str(error).splitlines()[0]]) from None
    if stored is None:
        raise UsageError("the file is no training set", [path])
    found: dict[str, Any] = json.loads(stored)
    return found
