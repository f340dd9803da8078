"""Explain one player's row: why it is ready or not, feature by feature; a rookie and a missing line are no faults."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from orchestration.explain import remedies
from orchestration.explain.dates import SAID, explain_date, sentence, state_of
from orchestration.explain.facts import BLOCKED_TABLE, Facts, read_facts
from orchestration.explain.findings import Cause, DateExplanation, merged_commands
from orchestration.explain.labels import table_behind
from schemas.catalogue import load_catalogue
from schemas.errors import UnknownNameError
from schemas.rules import STORE_TABLE, load_rules
from warehouse.protocol import Warehouse

COLUMNS = (
    "team_abbr, opponent_team_abbr, feature_quality_score, quality_tier, quality_alert_level, quality_alerts, is_quality_ready,"
    " is_training_ready, is_production_ready, feature_fallback_reasons_json, feature_sample_sizes_json, feature_upstream_tables_json,"
    " failure_default_count, historical_completeness.games_found AS games_found, historical_completeness.games_expected AS games_expected,"
    " historical_completeness.games_available AS games_available, run_id"
)
LAST_GAME = """
SELECT team_abbr, MAX(game_date) AS last_date
FROM nba_analytics.player_game_summary
WHERE player_lookup = @player AND game_date < @date AND is_played
GROUP BY team_abbr
ORDER BY last_date DESC
LIMIT 1
"""
ROSTER = """
SELECT team_abbr, expected_status, is_expected
FROM nba_analytics.upcoming_player_game_context
WHERE player_lookup = @player AND game_date = @date
"""


@dataclass(frozen=True)
class MissingValue:
    """A feature of the row that is not from its primary source: the reason, the table behind it, and whether that is normal."""

    feature: str
    category: str
    reason: str
    words: str
    is_failure: bool
    table: str
    sample: int | None


@dataclass(frozen=True)
class PlayerExplanation:
    """A player on a date: the verdict in a sentence, the row's standing, what is missing of it, causes and commands."""

    player: str
    date: dt.date
    headline: str
    is_ready: bool
    row: Mapping[str, Any] | None
    missing: tuple[MissingValue, ...]
    normal: tuple[str, ...]
    causes: tuple[Cause, ...]
    reach: tuple[str, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """Commands of all causes, each once."""
        return merged_commands(self.causes)

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation for `--json`."""
        return {**asdict(self), "commands": list(self.commands)}


def _row(warehouse: Warehouse, player: str, date: dt.date, is_blocked: bool) -> dict[str, Any] | None:
    table = BLOCKED_TABLE if is_blocked else STORE_TABLE
    found = warehouse.query(
        f"SELECT {COLUMNS} FROM {table} WHERE game_date = @date AND player_lookup = @player", {"date": date, "player": player}
    ).to_pylist()
    return found[0] if found else None


def require_player(warehouse: Warehouse, player: str) -> None:
    """Raise `UnknownNameError` for a player key nobody has, naming the nearest ones."""
    known = {row["player_lookup"] for row in warehouse.query("SELECT player_lookup FROM nba_raw.players").to_pylist()}
    if player not in known:
        near = get_close_matches(player, known, n=3, cutoff=0.6)
        raise UnknownNameError("unknown player", [player], f"did you mean {', '.join(near)}" if near else "keys look like lebronjames")


def _missing(row: Mapping[str, Any]) -> tuple[MissingValue, ...]:
    catalogue, rules = load_catalogue(), load_rules()
    samples, found = json.loads(row["feature_sample_sizes_json"]), []
    for index, reason in sorted(json.loads(row["feature_fallback_reasons_json"]).items(), key=lambda item: int(item[0])):
        feature, known = catalogue.features[int(index)], rules.reason(reason)
        table = table_behind(feature, reason)
        found.append(MissingValue(feature.name, feature.category, reason, known.description, known.is_failure, table, samples.get(index)))
    return tuple(found)


def _absent(warehouse: Warehouse, facts: Facts, player: str, date: dt.date) -> tuple[str, tuple[Cause, ...]]:
    """Return why a player has no row on a date that has rows."""
    roster = warehouse.query(ROSTER, {"player": player, "date": date}).to_pylist()
    if roster:
        fact = f"{player} is on the slate of {date} and has no row in the store"
        return fact, (Cause("row_missing", STORE_TABLE, "P1", fact, (fact,), (remedies.run_again(facts, date),), dates=(date,)),)
    last = warehouse.query(LAST_GAME, {"player": player, "date": date}).to_pylist()
    if not last:
        return f"{player} has no row on {date}: he has not played a game on record before, and was not on a roster", ()
    team = last[0]["team_abbr"]
    if team not in facts.teams.get(date, ()):
        return f"{player} has no row on {date}: {team}, for whom he last played on {last[0]['last_date']}, does not play", ()
    return f"{player} has no row on {date}: {team} plays, and he is not on its expected roster (last game {last[0]['last_date']})", ()


def _normal(missing: Sequence[MissingValue], row: Mapping[str, Any]) -> tuple[str, ...]:
    by_reason: dict[str, list[MissingValue]] = {}
    for item in missing:
        if not item.is_failure:
            by_reason.setdefault(item.reason, []).append(item)
    texts = [f"{items[0].words}: {', '.join(item.feature for item in items)}" for items in by_reason.values()]
    if row["games_available"] < 10:
        texts.append(f"he has {row['games_available']} games on record in the past year, and {row['games_found']} entered")
    return tuple(texts)


def explain_player(warehouse: Warehouse, player: str, date: dt.date, now: dt.datetime) -> PlayerExplanation:
    """Return why a player's row on a date is as it is.

    Raises:
        UnknownNameError: nobody has that key.
    """
    require_player(warehouse, player)
    facts = read_facts(warehouse, (date,), now)
    whole: DateExplanation = explain_date(warehouse, facts, date)
    state = state_of(facts, date)
    row = _row(warehouse, player, date, state == "blocked")
    if row is None:
        if facts.day(date) is None:
            head = f"{player} has no row: {date} {SAID[state]}"
            fact = f" {sentence(whole.causes[0].fact)}" if whole.causes else ""
            return PlayerExplanation(player, date, f"{head}.{fact}", False, None, (), (), whole.causes)
        fact, causes = _absent(warehouse, facts, player, date)
        return PlayerExplanation(player, date, f"{fact}.", False, None, (), (), causes)
    missing = _missing(row)
    broken = [item for item in missing if item.is_failure]
    tables = {item.table for item in broken}
    whole_date = state == "blocked"
    causes = tuple(cause for cause in whole.causes if whole_date or cause.subject in tables or (cause.code.startswith("raw") and broken))
    if broken and not causes:
        names = ", ".join(item.feature for item in broken[:4])
        fact = f"{', '.join(sorted(tables))} has no value of {names} for {player} on {date}"
        chain = (f"{names}: {broken[0].reason}", f"{broken[0].words}", fact)
        causes = (Cause("values_missing", broken[0].table, "P3", fact, chain, (remedies.run_again(facts, date),), dates=(date,)),)
    ready = bool(row["is_quality_ready"]) and not whole_date
    head = f"{player} on {date} against {row['opponent_team_abbr']}: {row['quality_tier']}, {row['quality_alert_level']}, "
    head += f"score {row['feature_quality_score']:g}, {'ready' if ready else 'not ready'} to serve"
    if whole_date:
        head += ", because the whole date is blocked"
    why = f". {sentence(causes[0].fact)}" if causes else "; what is missing is normal." if missing else "; nothing is missing."
    row = {name: value for name, value in row.items() if not name.endswith("_json")}
    return PlayerExplanation(player, date, head + why, ready, row, missing, _normal(missing, row), causes)
