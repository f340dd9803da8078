"""The cutoff of a game and what was known of a player's availability at it."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from .games import Games, days
from .raw import Game, Report

REPORT_DAYS = 30
FEED_DAYS = 7
ABSENT = ("out", "doubtful")
RISK = {"available": 0, "probable": 1, "questionable": 2, "doubtful": 3, "out": 3}


class Availability:
    """Statuses of players for a game, from the reports known at the game's cutoff."""

    def __init__(self, games: Games, cutoff_minutes: int) -> None:
        self.games = games
        self.cutoff_minutes = cutoff_minutes
        self.all_reports = [report for reports in games.raw.reports_on.values() for report in reports]
        self.is_silent = cache(self._is_silent)
        self.status = cache(self._status)

    def cutoff(self, game: Game) -> datetime:
        """Return the earlier of the as-of instant and so many minutes before tip-off."""
        return min(self.games.as_of, game.tipoff - timedelta(minutes=self.cutoff_minutes))

    def _is_silent(self, game: Game) -> bool:
        """Tell whether nobody at all was reported on in the 7 days before the cutoff."""
        cutoff = self.cutoff(game)
        return not any(cutoff - days(FEED_DAYS) < report.reported_at <= cutoff for report in self.all_reports)

    def _status(self, player: str, game: Game) -> str | None:
        """Return the player's status; None when the feed is silent."""
        if self.is_silent(game):
            return None
        reports = [report for report in self.games.raw.reports_on.get(player, []) if self._counts(report, player, game)]
        if not reports:
            return "available"
        return max(reports, key=lambda report: (report.reported_at, report.report_seq)).status

    def _counts(self, report: Report, player: str, game: Game) -> bool:
        age = (game.date - report.report_date).days
        if report.reported_at > self.cutoff(game) or not 0 <= age <= REPORT_DAYS:
            return False
        if report.game_id is not None and report.game_id != game.game_id:
            return False
        if report.valid_days is not None:
            return 1 <= age <= report.valid_days
        if report.status in ABSENT and report.game_id is None:
            played_since = any(line.game.date > report.report_date for line in self.games.of_player(player, game.date))
            return not played_since
        return True
