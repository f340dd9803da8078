"""The engine's own SQL and DDL before Google's analyser; names are placed in code alone, never in strings."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from schemas.contracts import contract, load_contracts
from schemas.ddl import render_add_columns, render_dataset, render_ddl, requires_filter
from schemas.settings import GcpSettings, load_settings
from tests.googlesql import analyser
from tests.googlesql.analyser import InvalidGoogleSQLError, available
from transformations.render import built_tables, dates_statement
from transformations.views import view_statements
from warehouse.bigquery.names import Names, found_tables
from warehouse.bigquery.schema import ENGINE_TABLES, stored_tables
from warehouse.bigquery.statements import Script, fingerprint_query, replace_partitions, write_records
from warehouse.protocol import RecordWrite

DAYS = [dt.date(2025, 1, 1), dt.date(2025, 1, 3)]
STORED = [spec.name for spec in stored_tables() if spec not in ENGINE_TABLES]
RECORDS = [name for name, spec in load_contracts().items() if spec.built_by == "record"]
needs_analyser = pytest.mark.skipif(available() is not None, reason=str(available()))


def analyse(sql: str, parameters: Mapping[str, str] | None = None) -> None:
    """Analyse a statement; the analyser takes a path in one pair of backticks, as BigQuery writes it, for one name."""
    analyser.analyse(re.sub(r"`(\w+)\.(\w+)`", r"`\1`.`\2`", sql), parameters)


@needs_analyser
@pytest.mark.parametrize("table", STORED)
def test_ddl_and_replacement_pass_googles_analyser(table: str) -> None:
    spec, script = contract(table), Script()
    analyse(render_ddl(spec))
    replace_partitions(script, spec, table, table, DAYS)
    for statement in (*script.statements, fingerprint_query(spec, table)):
        analyse(statement, {"p0": "ARRAY<DATE>"})


@needs_analyser
@pytest.mark.parametrize("table", RECORDS)
def test_record_writes_pass_googles_analyser(table: str) -> None:
    spec, script = contract(table), Script()
    request = RecordWrite(table, [{}], replace=False, clear={spec.keys[0]: ["x"]})
    write_records(script, spec, table, request, [{}], loaded=table)
    kind = spec.by_name[spec.keys[0]].type
    assert [statement.split()[0] for statement in script.statements] == ["DELETE", "SELECT", "MERGE"]
    for statement in script.statements:
        analyse(statement, {"p0": f"ARRAY<{kind}>"})


@needs_analyser
def test_the_rest_of_the_schema_passes_and_nonsense_does_not() -> None:
    spec = contract("nba_raw.players")
    analyse(render_add_columns(spec.name, spec.columns[-1:]))
    analyse(render_dataset("some_dataset", "US", "It's a test", 1))
    for table in ENGINE_TABLES:
        analyse(render_ddl(table))
    with pytest.raises(InvalidGoogleSQLError):
        analyse(render_ddl(spec).replace("STRING", "TEXT", 1))
    with pytest.raises(InvalidGoogleSQLError):
        analyse(fingerprint_query(spec, spec.name).replace("player_lookup", "player_look_up"))


def test_FM50_no_table_expires_and_every_large_one_requires_dates() -> None:
    for spec in stored_tables():
        ddl = render_ddl(spec)
        assert "expiration_timestamp = NULL" in ddl
        if spec.partition:
            assert f"PARTITION BY `{spec.partition}`" in ddl and "partition_expiration_days = NULL" in ddl
            assert f"require_partition_filter = {str(requires_filter(spec)).upper()}" in ddl
    assert [spec.name for spec in stored_tables() if spec.partition and not requires_filter(spec)] == [
        "nba_raw.schedule",
        "nba_predictions.ml_feature_store_v2",
    ]


def test_FM48_every_built_table_names_dates_of_all_it_reads() -> None:
    from tests.bigquery.stand_in.statements import unfiltered

    filtered = {spec.name: spec.partition for spec in stored_tables() if requires_filter(spec) and spec.partition}
    assert len(filtered) > 10
    for table in built_tables():
        statement = dates_statement(table)
        parsed: Any = sqlglot.parse_one(statement, read="bigquery")
        assert not list(unfiltered(parsed, filtered)), table
    planted = "SELECT a.* FROM nba_raw.shots AS a JOIN nba_raw.schedule AS s ON a.game_date = s.game_date"
    assert list(unfiltered(sqlglot.parse_one(planted, read="bigquery"), filtered)) == [("nba_raw.shots", "game_date")]


def _expanded(sql: str, branch: str) -> Any:
    """Return a statement with its views written out and one branch of every UNION."""
    tree: Any = sqlglot.parse_one(sql, read="bigquery")
    for table in list(tree.find_all(exp.Table)):
        if query := view_statements().get(f"{table.db}.{table.name}"):
            table.replace(exp.Subquery(this=_expanded(query, branch), alias=exp.TableAlias(this=exp.to_identifier(table.alias_or_name))))
    for union in list(tree.find_all(exp.Union)):
        union.replace(union.args[branch])
    for select in tree.find_all(exp.Select):
        # A condition on a grouped column holds for the rows below as well; this optimizer leaves it above the grouping.
        if (group := select.args.get("group")) and any(column.name == "game_date" for column in group.expressions):
            select.where("game_date = DATE '2025-01-01'", copy=False, dialect="bigquery")
    return tree


def _without_dates(view: str, branch: str) -> set[tuple[str, str]]:
    """Return the tables that a reader of a view leaves without dates although he names some where the view has a date."""
    from sqlglot.optimizer.pushdown_predicates import pushdown_predicates
    from sqlglot.optimizer.qualify import qualify

    from tests.bigquery.stand_in.statements import unfiltered

    filtered = {spec.name: spec.partition for spec in stored_tables() if requires_filter(spec) and spec.partition}
    columns: dict[str, Any] = {}
    for spec in stored_tables():
        dataset, name = spec.name.split(".")
        columns.setdefault(dataset, {})[name] = {column.name: column.sql_type for column in spec.columns}
    dates = " WHERE game_date = DATE '2025-01-01'" if "game_date" in contract(view).by_name else ""
    tree: Any = qualify(
        _expanded(f"SELECT * FROM {view}{dates}", branch),
        schema=columns,
        dialect="bigquery",
        quote_identifiers=False,
        validate_qualify_columns=False,
    )
    pushed: Any = pushdown_predicates(tree, dialect="bigquery")
    return set(unfiltered(pushed, filtered))


@pytest.mark.parametrize("branch", ["this", "expression"])
@pytest.mark.parametrize("view", list(view_statements()))
def test_FM48_a_reader_of_a_view_who_names_dates_names_them_for_every_table_below(view: str, branch: str) -> None:
    assert not _without_dates(view, branch)


def test_names_are_placed_in_code_and_nowhere_else() -> None:
    names = Names(GcpSettings("my-project", dataset_prefix="dev_", tables=(("nba_raw.players", "other-project.people.all_players"),)))
    sql = "SELECT s.nba_raw, 'nba_raw.shots' AS t -- nba_raw.shots\nFROM nba_raw.shots AS s JOIN nba_raw.players USING (player_lookup)"
    placed = names.placed(sql)
    assert placed == (
        "SELECT s.nba_raw, 'nba_raw.shots' AS t -- nba_raw.shots\n"
        "FROM `my-project.dev_nba_raw.shots` AS s JOIN `other-project.people.all_players` USING (player_lookup)"
    )
    assert names.placed(placed) == placed
    assert names.placed(sql, {"nba_raw.shots": "p.d.staged"}).count("`p.d.staged`") == 1


@pytest.mark.parametrize("table", [*built_tables(), *view_statements()])
def test_every_table_a_statement_reads_is_found(table: str) -> None:
    sql = view_statements().get(table) or dates_statement(table)
    reads = set(contract(table).reads)
    assert set(found_tables(sql)) >= reads and set(found_tables(sql)) <= set(load_contracts())
    placed = Names(GcpSettings("my-project")).placed(sql)
    assert placed.count("`my-project.") >= len(reads) and not found_tables(placed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NBA_FEATURES_GCP_PROJECT", "Not A Project"),
        ("NBA_FEATURES_GCP_LOCATION", "US; DROP"),
        ("NBA_FEATURES_DATASET_PREFIX", "a-b`"),
        ("NBA_FEATURES_MAX_BYTES_BILLED", "1"),
        ("NBA_FEATURES_TABLES", "nba_raw.players=`x`.y.z"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(name: str, value: str) -> None:
    from schemas.errors import UsageError

    good = {"NBA_FEATURES_PROFILE": "gcp", "NBA_FEATURES_GCP_PROJECT": "my-project", "NBA_FEATURES_HOME": "home"}
    gcp = load_settings(good).gcp
    assert gcp and gcp.project == "my-project" and gcp.location == "US"
    with pytest.raises(UsageError, match=name.replace("NBA_FEATURES_GCP_PROJECT", "needs a project")):
        load_settings({**good, name: value})
