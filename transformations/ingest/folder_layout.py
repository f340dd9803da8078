"""The layout of a box-score folder: one sub-folder per kind, one Parquet file per kind and season."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import SourceError

_BOX = "FGM FGA FG3M FG3A FTM FTA OREB DREB AST STL BLK TOV PF PTS"
_GAME = "TEAM_ID GAME_ID GAME_DATE MATCHUP WL MIN"

# Columns that are read, per kind. `shots` has two forms, told apart by their columns.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "player_game_logs": (*f"SEASON_ID PLAYER_ID PLAYER_NAME PLUS_MINUS {_GAME} {_BOX}".split(),),
    "team_game_logs": (*f"SEASON SEASON_ID TEAM_ABBREVIATION {_GAME} {_BOX}".split(),),
    "playoff_player_box": (*f"PLAYER_ID PLAYER_NAME PLUS_MINUS START_POSITION COMMENT {_GAME} {_BOX}".split(),),
    "shots": (
        *"TEAM_ID PLAYER_ID GAME_DATE GAME_ID HOME_TEAM AWAY_TEAM SHOT_MADE SHOT_TYPE BASIC_ZONE".split(),
        *"LOC_X LOC_Y SHOT_DISTANCE QUARTER MINS_LEFT SECS_LEFT".split(),
    ),
    "game_lines_close": (*"date away home whos_favored spread total moneyline_away moneyline_home".split(),),
    "game_odds_snapshots": (
        *"snapshot_timestamp event_id home_team away_team commence_time bookmaker_key".split(),
        *"market_key outcome_name outcome_price outcome_point last_update".split(),
    ),
    "schedule_events": (*"snapshot_timestamp id commence_time home_team away_team".split(),),
    "player_props_pra": (*"player_name event_id timestamp line".split(),),
    "player_props_dfs": (*"player market bookmaker side line price home_team away_team commence_time source_file".split(),),
    "injury_transactions": (*"Date Team Acquired Relinquished Notes".split(),),
    "player_positions": (*"PLAYER_ID POSITION".split(),),
}
LEAGUE_SHOT_COLUMNS = (
    *"GAME_ID PLAYER_ID TEAM_ID PERIOD MINUTES_REMAINING SECONDS_REMAINING SHOT_TYPE SHOT_ZONE_BASIC".split(),
    *"SHOT_DISTANCE LOC_X LOC_Y SHOT_MADE_FLAG GAME_DATE HTM VTM".split(),
)
# Everything else is joined to these two.
NEEDED = ("team_game_logs", "player_game_logs")
_FILE = re.compile(r"^(?P<kind>[a-z_]+?)_(?P<season>\d{4}-\d{2})(_partial)?\.parquet$")
_SEASON = re.compile(r"^(\d{4})-(\d{2})$")


@dataclass(frozen=True)
class FolderFile:
    """One file: kind, season, its path inside the folder (the source name of its rows) and its number of rows."""

    kind: str
    season: str
    source: str
    path: Path
    rows: int
    columns: frozenset[str]


@dataclass(frozen=True)
class FolderFiles:
    """What is read, in order of kind and season, and the files of kinds no table is made of."""

    files: tuple[FolderFile, ...]
    others: tuple[FolderFile, ...]

    def of(self, kind: str) -> tuple[FolderFile, ...]:
        """Files of one kind, oldest season first."""
        return tuple(file for file in self.files if file.kind == kind)


def expected_files() -> str:
    """Say in words what a folder must hold."""
    return "expected team_game_logs/team_game_logs_2023-24.parquet and so on, one file per kind and season; kinds: " + ", ".join(COLUMNS)


def _season_problem(season: str) -> str | None:
    parts = _SEASON.match(season)
    if parts and (int(parts[1]) + 1) % 100 == int(parts[2]):
        return None
    return f"{season} is not a season; write for example 2023-24"


def _read(path: Path, kind: str, season: str, root: Path) -> FolderFile | str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = path.relative_to(root).as_posix()
    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid) as error:
        return f"{source} is not a readable Parquet file ({' '.join(str(error).split())[:120]})"
    names = frozenset(metadata.schema.to_arrow_schema().names)
    return FolderFile(kind, season, source, path, metadata.num_rows, names)


def _missing_columns(file: FolderFile) -> list[str]:
    wanted: Sequence[str] = COLUMNS.get(file.kind, ())
    if file.kind == "shots" and "SHOT_ZONE_BASIC" in file.columns:
        wanted = LEAGUE_SHOT_COLUMNS
    return [name for name in wanted if name not in file.columns]


def _completeness(files: Sequence[FolderFile], seasons: Sequence[str] | None) -> list[str]:
    problems = []
    by_kind: dict[tuple[str, str], list[str]] = {}
    for file in files:
        by_kind.setdefault((file.kind, file.season), []).append(file.source)
    problems += [f"two files of one kind and season: {' and '.join(paths)}" for paths in by_kind.values() if len(paths) > 1]
    for season in sorted({file.season for file in files} | set(seasons or ())):
        problems += [f"{kind}/{kind}_{season}.parquet is missing" for kind in NEEDED if (kind, season) not in by_kind]
    return problems


def find_files(root: Path, seasons: Sequence[str] | None) -> FolderFiles:
    """Find and check the files of a folder, of the seasons asked for (None: all).

    Raises `SourceError` naming everything that is wrong at once: no folder, no files, unreadable files, missing columns,
    names without a season, two files for one season, seasons without the files all others are joined to.
    """
    if not root.is_dir():
        raise SourceError("the data folder does not exist", [root], "set NBA_DATA_DIR to the folder of the Parquet files")
    paths = sorted(root.glob("*/*.parquet"))
    stray = sorted(root.glob("*.parquet")) + sorted(root.glob("*/*/**/*.parquet"))
    if not paths and not stray:
        raise SourceError("the data folder holds no Parquet file", [root], expected_files())
    problems = [f"{path.relative_to(root).as_posix()} is not in the folder of its kind" for path in stray]
    problems += [text for text in map(_season_problem, seasons or ()) if text]
    files, others = [], []
    for path in paths:
        kind = path.parent.name
        parts = _FILE.match(path.name)
        if kind in COLUMNS and (not parts or parts["kind"] != kind or _season_problem(parts["season"])):
            problems.append(f"{kind}/{path.name} is not named {kind}_<season>.parquet")
            continue
        season = parts["season"] if parts else ""
        if seasons is not None and kind in COLUMNS and season not in seasons:
            continue
        file = _read(path, kind, season, root)
        if isinstance(file, str):
            problems.append(file)
        elif kind not in COLUMNS:
            others.append(file)
        else:
            files.append(file)
            if missing := _missing_columns(file):
                problems.append(f"{file.source} lacks the columns {', '.join(missing)}")
    problems += _completeness(files, seasons)
    if problems:
        raise SourceError("the data folder cannot be read as it is", problems, expected_files())
    order = {kind: number for number, kind in enumerate(COLUMNS)}
    return FolderFiles(tuple(sorted(files, key=lambda file: (order[file.kind], file.season))), tuple(others))
