"""A folder of box scores, shots, lines and transactions as a source of all raw tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import SourceError
from transformations.ingest.delivery import Delivery, Progress
from transformations.ingest.folder_layout import FolderFiles, find_files

if TYPE_CHECKING:
    from transformations.ingest.workspace import Workspace

NO_TABLE = "none"


@dataclass(frozen=True)
class BoxScoreFolder:
    """The source of a folder with one Parquet file per kind and season; `seasons` (`2023-24`) limits it, None takes all."""

    path: Path
    seasons: Sequence[str] | None = None

    @property
    def name(self) -> str:
        """Short name of the source, for run records."""
        return "box_score_folder"

    def deliver(self, progress: Progress | None = None) -> Delivery:
        """Read the folder and return all raw tables, the refused rows and what became of every row of every file.

        Raises `SourceError` naming all that is wrong with the folder, or the file whose content cannot be read as its kind.
        """
        files = find_files(Path(self.path), None if self.seasons is None else tuple(self.seasons))
        return _deliver(files, progress or _silent)


def _silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


def _deliver(files: FolderFiles, progress: Progress) -> Delivery:
    import duckdb

    from transformations.ingest import folder_games, folder_injuries, folder_lines, folder_players, folder_props, folder_shots
    from transformations.ingest.workspace import Workspace

    # In the order in which they stand on each other.
    steps = (
        ("schedule", folder_games.load_schedule),
        ("team box scores", folder_games.load_team_boxes),
        ("players", folder_players.load_players),
        ("player box scores", folder_players.load_player_boxes),
        ("shots", folder_shots.load_shots),
        ("game lines", folder_lines.load_game_lines),
        ("points lines", folder_props.load_points_lines),
        ("injury reports", folder_injuries.load_injuries),
    )
    space = Workspace(files)
    try:
        for number, (what, load) in enumerate(steps):
            progress(what, number, len(steps))
            try:
                load(space)
            except duckdb.Error as error:
                text = " ".join(str(error).split())[:300]
                raise SourceError(f"the {what} cannot be read", [text], "a column may have another type than the layout says") from None
        progress("counting", len(steps), len(steps))
        _book_others(space, files)
        return space.delivery()
    finally:
        space.connection.close()


def _book_others(space: Workspace, files: FolderFiles) -> None:
    why = "no raw table is made of this kind of file"
    space.not_wanted(NO_TABLE, [(file.source, file.rows, why) for file in files.others])
