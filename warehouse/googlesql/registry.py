"""Where rewrites are registered: by node type, by function name, by aggregate name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from warehouse.googlesql.dialect import refusal

Expr = exp.Expr
Over = Callable[[Expr], Expr]
"""Attach the OVER clause of the original call, if it had one."""

NodeRewrite = Callable[[Expr], Expr]
FunctionRewrite = Callable[[Sequence[Expr], exp.Anonymous], Expr]
AggregateRewrite = Callable[[Sequence[Expr], Over, exp.Anonymous], Expr]

DESUGARS: dict[type[Expr], NodeRewrite] = {}
NODES: dict[type[Expr], NodeRewrite] = {}
FUNCTIONS: dict[str, FunctionRewrite] = {}
AGGREGATES: dict[str, AggregateRewrite] = {}
REFUSED: dict[str, str] = {}
"""Function names that are refused, with the hint that goes with them."""


def desugar(*types: type[Expr]) -> Callable[[NodeRewrite], NodeRewrite]:
    """Register a rewrite from GoogleSQL to simpler GoogleSQL; it sees the node before its parts are rewritten."""

    def register(rewrite: NodeRewrite) -> NodeRewrite:
        DESUGARS.update(dict.fromkeys(types, rewrite))
        return rewrite

    return register


def node(*types: type[Expr]) -> Callable[[NodeRewrite], NodeRewrite]:
    """Register a rewrite of a node type; its parts are DuckDB's already."""

    def register(rewrite: NodeRewrite) -> NodeRewrite:
        NODES.update(dict.fromkeys(types, rewrite))
        return rewrite

    return register


def function(*names: str, args: tuple[int, int] = (1, 1)) -> Callable[[FunctionRewrite], FunctionRewrite]:
    """Register a rewrite of scalar functions and the least and greatest number of arguments it reads."""

    def register(rewrite: FunctionRewrite) -> FunctionRewrite:
        def checked(given: Sequence[Expr], original: exp.Anonymous) -> Expr:
            if not args[0] <= len(given) <= args[1]:
                raise refusal(f"{original.name.upper()} with {len(given)} arguments", original)
            return rewrite(given, original)

        FUNCTIONS.update(dict.fromkeys(names, checked))
        return rewrite

    return register


def aggregate(*names: str) -> Callable[[AggregateRewrite], AggregateRewrite]:
    """Register a rewrite of aggregate or window functions; `over` must be applied to the aggregate call itself."""

    def register(rewrite: AggregateRewrite) -> AggregateRewrite:
        AGGREGATES.update(dict.fromkeys(names, rewrite))
        return rewrite

    return register


def same_meaning(names: dict[str, str]) -> None:
    """Register scalar functions that only change their name."""
    for name, target in names.items():
        FUNCTIONS[name] = lambda given, _, target=target: exp.Anonymous(this=target, expressions=list(given))  # type: ignore[misc]


def refuse(hint: str, *names: str) -> None:
    """Register function names that no statement may call."""
    REFUSED.update(dict.fromkeys(names, hint))
