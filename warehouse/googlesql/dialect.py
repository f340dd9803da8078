"""Parse GoogleSQL so that every function call keeps the name the author wrote."""

from __future__ import annotations

from typing import TypeVar

import sqlglot
from sqlglot import exp, parser
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.bigquery import BigQueryParser

from schemas.errors import DefinitionError

E = TypeVar("E", bound=exp.Expr)


class GoogleSQL(BigQuery):
    """BigQuery's grammar without reinterpretation of functions: each call is an `exp.Anonymous` under its own name.

    sqlglot turns many functions into nodes of a common vocabulary, whose DuckDB rendering differs from BigQuery's
    meaning in places. Here the vocabulary is ours alone, and an unknown name is refused.
    """

    class Parser(BigQueryParser):
        """BigQuery's parser with an empty vocabulary of functions."""

        FUNCTIONS = {}  # noqa: RUF012
        FUNCTION_PARSERS = {  # noqa: RUF012
            name: parse for name, parse in BigQueryParser.FUNCTION_PARSERS.items() if name in ("CAST", "SAFE_CAST", "EXTRACT", "ARRAY")
        }
        NO_PAREN_FUNCTIONS = {}  # noqa: RUF012

        def _parse_unnest(self, with_alias: bool = True) -> exp.Unnest | None:
            # BigQuery's own method infers types for each array, which costs seconds on a long statement.
            return parser.Parser._parse_unnest(self, with_alias=with_alias)

        def _implicit_unnests_to_explicit(self, this: E) -> E:
            # BigQuery's own method copies every source of every query, subqueries with all they hold; only a dotted name that
            # is joined without ON can be an array.
            joined = [join for join in this.args.get("joins") or [] if not join.args.get("on") and isinstance(join.this, exp.Table)]
            return super()._implicit_unnests_to_explicit(this) if any(join.this.args.get("db") for join in joined) else this


def line_of(node: exp.Expr) -> int | None:
    """Return the line of a node: its own, of the first part that knows one, or of the nearest ancestor."""
    for part in node.walk():
        if part.meta.get("line"):
            return int(part.meta["line"])
    above = node.parent
    while above is not None:
        if above.meta.get("line"):
            return int(above.meta["line"])
        above = above.parent
    return None


def refusal(construct: str, node: exp.Expr | None = None, hint: str = "") -> DefinitionError:
    """Return the error for a construct outside the portable subset, with the line where it stands."""
    line = line_of(node) if node is not None else None
    where = f" (line {line})" if line else ""
    return DefinitionError("GoogleSQL outside the portable subset", [f"{construct}{where}"], hint)


def parse(sql: str) -> exp.Expr:
    """Parse exactly one statement; raise `DefinitionError` on a syntax error, a script or an empty text."""
    try:
        statements = [statement for statement in sqlglot.parse(sql, read=GoogleSQL) if statement is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        place = f"line {first.get('line')}: {first.get('description')}, near {str(first.get('highlight'))!r}" if first else str(error)
        raise DefinitionError("GoogleSQL that cannot be parsed", [place]) from None
    except TokenError as error:
        raise DefinitionError("GoogleSQL that cannot be parsed", [str(error).splitlines()[0]]) from None
    if not statements:
        raise DefinitionError("an empty GoogleSQL statement")
    if len(statements) > 1:
        raise refusal("scripting: more than one statement", statements[1])
    return statements[0]
