"""May a row be used? The verdict on each row of a lookup, judged over whole columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from schemas.catalogue import Service, load_catalogue
from serving.online_rows import OnlineRows

READY = "ready"
NOT_READY = "not_ready"
STALE = "stale"
NOT_FOUND = "not_found"
INCOMPATIBLE = "incompatible"
VERDICTS = (READY, NOT_READY, STALE, NOT_FOUND, INCOMPATIBLE)

Reasons = tuple[str, ...]
Judged = tuple[list[str], list[Reasons]]


@lru_cache(maxsize=16)
def _needed(service: Service) -> np.ndarray[Any, Any]:
    """Return TRUE for each feature that the catalogue does not allow to be NULL."""
    return np.isin(service.features, load_catalogue().needed(service))


def _all_equal(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """TRUE for each column whose values are one and the same."""
    return np.asarray((rows == rows[0]).all(axis=0))


def _not_ready(features: Sequence[str], missing: np.ndarray[Any, Any], level: Any, alerts: Sequence[str] | None, *, ready: bool) -> Reasons:
    """Say why a current row may not be used."""
    reasons = [] if ready else ["not_quality_ready", f"alert_level_{level}", *(alerts or ())]
    return (*reasons, *(f"missing_feature:{features[at]}" for at in np.nonzero(missing)[0].tolist()))


def judge_rows(service: Service, published: np.ndarray[Any, Any], written: np.ndarray[Any, Any], rows: OnlineRows) -> Judged:
    """Return the verdict and the reasons of each row of the slate.

    `published` and `written` are event and created time of the published rows, in microseconds.

    A row is there when its quality tier, which no published row lacks, has a value: Feast answers an absent key with NULLs,
    and Redis not even with a status. Incompatible: it was written under another schema of a view or another feature list.
    The caller adds what holds for the whole slate: rows made under another definition, a model whose contract differs.
    Stale: what is online is not the published row, or its views were not written together; stores that keep whole seconds
    and no created time are held to those. Not ready: its quality forbids it, or a feature that must have a value is NULL,
    NaN or infinite.
    """
    quality = rows.quality
    present = np.fromiter(map(bool, quality["quality_tier"]), bool, rows.rows)
    ready = np.fromiter(map(bool, quality["is_quality_ready"]), bool, rows.rows)
    version = load_catalogue().schema_version
    same_list = np.fromiter((found == version for found in quality["feature_schema_version"]), bool, rows.rows)
    together = _all_equal(rows.events)
    current = rows.events[0] // rows.tick == published // rows.tick
    if rows.created is not None:
        together &= _all_equal(rows.created)
        current &= rows.created[0] == written
    missing = np.isinf(rows.values) | (np.isnan(rows.values) & _needed(service))
    fit = ready & ~missing.any(axis=1)
    # From the weakest finding to the strongest: what is not there has no quality to speak of.
    codes = np.where(fit, 0, VERDICTS.index(NOT_READY))
    codes[~same_list] = VERDICTS.index(INCOMPATIBLE)
    codes[~(together & current)] = VERDICTS.index(STALE)
    codes[~present] = VERDICTS.index(NOT_FOUND)
    codes[rows.incompatible] = VERDICTS.index(INCOMPATIBLE)
    reasons: list[Reasons] = [()] * rows.rows
    for at in np.nonzero(codes)[0].tolist():
        verdict = VERDICTS[codes[at]]
        if rows.incompatible[at]:
            reasons[at] = ("other_view_schema",)
        elif verdict == INCOMPATIBLE:
            reasons[at] = ("other_feature_schema_version",)
        elif verdict == NOT_FOUND:
            reasons[at] = ("not_materialized",)
        elif verdict == STALE:
            reasons[at] = ("not_the_published_row",) if together[at] else ("views_not_written_together",)
        else:
            level, alerts = quality["quality_alert_level"][at], quality["quality_alerts"][at]
            reasons[at] = _not_ready(service.features, missing[at], level, alerts, ready=bool(ready[at]))
    return [VERDICTS[code] for code in codes.tolist()], reasons
