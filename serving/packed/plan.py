"""What a kind of request reads: worked out once, kept while the registry's answer is the same object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feast import FeatureService, FeatureView, utils
from feast.value_type import ValueType

from serving.packed.keys import encoded, text_keys
from serving.packed.layout import Layout, layout_of
from serving.packed.response import Column, Shape

ORDER_TAG = "order"


@dataclass(frozen=True)
class ViewRead:
    """One view of the request; `inputs` maps its join keys to the names in the entity rows."""

    view: FeatureView
    layout: Layout
    inputs: tuple[tuple[str, str], ...]
    version: int


@dataclass(frozen=True)
class Plan:
    """A request that can be answered from packed rows alone."""

    context: Any
    reads: tuple[ViewRead, ...]
    inputs: frozenset[str]
    shape: Shape

    def keys(self, rows: Mapping[str, Sequence[str]]) -> list[list[bytes]]:
        """Return the keys of each view; views with the same join keys share one list."""
        texts = {name: encoded(rows[name]) for name in self.inputs}
        made: dict[tuple[tuple[str, str], ...], list[bytes]] = {}
        for read in self.reads:
            if read.inputs not in made:
                made[read.inputs] = text_keys({key: texts[name] for key, name in read.inputs})
        return [made[read.inputs] for read in self.reads]


def _order(features: Any, outputs: Sequence[str], *, full: bool) -> tuple[str, ...]:
    """Return the order a service carries in its tags, empty where it carries none."""
    order = features.tags.get(ORDER_TAG, "") if isinstance(features, FeatureService) and not full else ""
    names = tuple(name for name in order.split(",") if name)
    return names if set(names) == set(outputs) else ()


def make_plan(context: Any, features: Any, *, full: bool) -> Plan | None:
    """Return the plan of a resolved request, None where Feast's own general path has to answer it.

    That is: on-demand views, request data, views without an entity, keys that are no text, versioned reads.
    """
    _, on_demand, join_key_of, type_of, _, grouped, _, request_data, entityless = context
    if on_demand or request_data or entityless or not grouped:
        return None
    if isinstance(features, FeatureService) and getattr(features, "precompute_online", False):
        return None
    reads, columns = [], []
    for block, (view, wanted) in enumerate(grouped):
        renamed = view.projection.join_key_map
        inputs = tuple((join_key_of[e], renamed.get(join_key_of[e], join_key_of[e])) for e in view.entities)
        if getattr(view.projection, "version_tag", None) is not None or not inputs:
            return None
        if any(type_of.get(name, type_of.get(key)) is not ValueType.STRING for key, name in inputs):
            return None
        reads.append(ViewRead(view, layout_of(view.features), inputs, getattr(view, "current_version_number", 0) or 0))
        prefix = f"{view.projection.name_to_use()}__" if full else ""
        columns += [Column(prefix + name, block, name) for name in wanted]
    outputs = [column.output for column in columns]
    names = frozenset(name for read in reads for _, name in read.inputs)
    return Plan(context, tuple(reads), names, Shape(tuple(columns), _order(features, outputs, full=full)))


class Plans:
    """The plans of a process, by request."""

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._known: dict[Any, tuple[Any, Plan | None]] = {}

    def plan(self, registry: Any, project: str, features: Any, *, full: bool) -> Plan | None:
        """Return the plan of a request; a registry that was read again makes a new one."""
        context = utils._get_cached_request_context(registry, project, features, full)
        mark = (project, features.name if isinstance(features, FeatureService) else tuple(features), full)
        found = self._known.get(mark)
        if found is None or found[0] is not context:
            if len(self._known) >= self._limit:
                self._known.clear()
            found = self._known[mark] = (context, make_plan(context, features, full=full))
        return found[1]
