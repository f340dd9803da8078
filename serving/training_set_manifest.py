"""The manifest of a training set: what was asked, what was read, what came out; and what differs between two of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.catalogue import load_catalogue
from schemas.errors import UsageError, shown
from serving.labels import LABELS
from serving.model_registry import current_features
from serving.training_set_request import request_from

if TYPE_CHECKING:
    from serving.training_set import TrainingSet

FORMAT = 1
FIELDS = ("format", "request", "definition", "code_version", "writer", "partitions", "counts", "columns", "result")
RESULT = ("file", "bytes", "sha256")
BESIDE = "it lies beside the set: SET.parquet.manifest.json"


@dataclass(frozen=True)
class Difference:
    """One thing in which two manifests differ; `decides` when rows or bytes differ, not only what they were made with."""

    what: str
    before: str
    after: str
    decides: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the difference for `--json`."""
        return dict(vars(self))


def stable_head(made: TrainingSet) -> dict[str, Any]:
    """Return what the Parquet file says of itself: nothing that two makings of the same rows may differ in."""
    request = made.request.as_dict()
    request.pop("known_by")
    return {
        "format": FORMAT,
        "request": request,
        "feature_schema_version": load_catalogue().schema_version,
        "features": [list(pair) for pair in current_features(made.request.service)],
        "labels": list(LABELS),
        "rows": made.counts.rows,
    }


def manifest_of(made: TrainingSet, code_version: str, definition_version: str, writer: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of a set whose file is `result` (name, bytes, sha256)."""
    return {
        "format": FORMAT,
        "request": made.request.as_dict(),
        "definition": {
            "definition_version": definition_version,
            "feature_schema_version": load_catalogue().schema_version,
            "features": [list(pair) for pair in current_features(made.request.service)],
            "labels": list(LABELS),
        },
        "code_version": code_version,
        "writer": writer,
        "partitions": {
            table: {date.isoformat(): found for date, found in sorted(dates.items())} for table, dates in made.partitions.items()
        },
        "counts": made.counts.as_dict(),
        "columns": [[field.name, str(field.type)] for field in made.rows.schema],
        "result": dict(result),
    }


def manifest_path(out: Path) -> Path:
    """Return the path of the manifest beside a training set."""
    return out.with_name(f"{out.name}.manifest.json")


def _is_manifest(found: Any) -> bool:
    if not isinstance(found, dict) or set(found) != set(FIELDS) or found["format"] != FORMAT:
        return False
    groups = ("request", "definition", "partitions", "counts", "result")
    if not all(isinstance(found[name], dict) for name in groups) or set(found["result"]) != set(RESULT):
        return False
    features, refused = found["definition"].get("features"), found["counts"].get("refused")
    pairs = [*features, *found["columns"]] if isinstance(features, list) and isinstance(found["columns"], list) else [None]
    file, sha256 = found["result"]["file"], found["result"]["sha256"]
    return (
        isinstance(file, str)
        and bool(file)
        and Path(file).name == file
        and isinstance(sha256, str)
        and isinstance(refused, dict)
        and all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs)
        and all(isinstance(dates, dict) for dates in found["partitions"].values())
    )


def read_manifest(path: Path) -> dict[str, Any]:
    """Return a manifest; raise `UsageError` when the file is none or cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the manifest cannot be read, {error.strerror}", [path], BESIDE) from None
    except (ValueError, RecursionError):
        found = None
    if not _is_manifest(found):
        raise UsageError("the file is no manifest of a training set", [path], BESIDE)
    manifest: dict[str, Any] = found
    request_from(manifest["request"])
    return manifest


def _text(value: Any) -> str:
    return "nothing" if value is None else value if isinstance(value, str) else json.dumps(value)


def _of_mapping(name: str, before: Mapping[str, Any], after: Mapping[str, Any], *, decides: bool = False) -> list[Difference]:
    keys = dict.fromkeys([*before, *after])
    return [
        Difference(f"{name} {key}", _text(before.get(key)), _text(after.get(key)), decides)
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _of_features(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    had, has = dict(before["features"]), dict(after["features"])
    found = _of_mapping("definition of", had, has)
    if not found and list(had) != list(has):
        found = [Difference("order of the features", shown_order(had), shown_order(has))]
    rest = [name for name in dict.fromkeys([*before, *after]) if name != "features"]
    return found + _of_mapping("definition", {name: before.get(name) for name in rest}, {name: after.get(name) for name in rest})


def shown_order(names: Mapping[str, Any]) -> str:
    """Return the first names of an order."""
    return ", ".join(list(names)[:5]) + (", ..." if len(names) > 5 else "")


def _of_partitions(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    found = []
    for table in dict.fromkeys([*before, *after]):
        had, has = before.get(table, {}), after.get(table, {})
        gone, new = sorted(set(had) - set(has)), sorted(set(has) - set(had))
        changed = [date for date in had if date in has and had[date] != has[date]]
        for kind, dates in (("gone", gone), ("new", new), ("changed", changed)):
            if dates:
                found.append(Difference(f"partitions of {table} {kind}", f"{len(had)} dates", f"{len(dates)}: {shown(dates)}"))
    return found


def _flat_counts(counts: Mapping[str, Any]) -> dict[str, Any]:
    refused = {f"refused as {name}": count for name, count in counts.get("refused", {}).items()}
    return {**{name: value for name, value in counts.items() if name != "refused"}, **refused}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return everything in which two manifests differ, the file's name excepted."""
    found = _of_mapping("request", before["request"], after["request"])
    found += _of_features(before["definition"], after["definition"])
    found += _of_mapping("code", {"version": before["code_version"]}, {"version": after["code_version"]})
    found += _of_mapping("file written by", {"library": before["writer"]}, {"library": after["writer"]})
    found += _of_partitions(before["partitions"], after["partitions"])
    # How many rows were refused for what says nothing of those that are in.
    counts = [_flat_counts(row["counts"]) for row in (before, after)]
    for name in dict.fromkeys([*counts[0], *counts[1]]):
        found += _of_mapping("count of", *({name: row.get(name)} for row in counts), decides=name == "rows")
    found += _of_mapping("column", dict(before["columns"]), dict(after["columns"]), decides=True)
    kept = [{name: row["result"][name] for name in ("bytes", "sha256")} for row in (before, after)]
    return found + _of_mapping("result", *kept, decides=True)


def same_result(found: list[Difference]) -> bool:
    """Return whether the two sets are the same rows in the same bytes."""
    return not any(difference.decides for difference in found)
