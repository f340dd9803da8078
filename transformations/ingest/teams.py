"""The thirty teams: ids, abbreviations and the names the sources give them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

# id, abbreviation, name in the odds feeds, code of the closing-line table, nickname of the transaction list
_TEAMS = """
1610612737 ATL atl  Hawks        Atlanta Hawks
1610612738 BOS bos  Celtics      Boston Celtics
1610612751 BKN bkn  Nets         Brooklyn Nets
1610612766 CHA cha  Hornets      Charlotte Hornets
1610612741 CHI chi  Bulls        Chicago Bulls
1610612739 CLE cle  Cavaliers    Cleveland Cavaliers
1610612742 DAL dal  Mavericks    Dallas Mavericks
1610612743 DEN den  Nuggets      Denver Nuggets
1610612765 DET det  Pistons      Detroit Pistons
1610612744 GSW gs   Warriors     Golden State Warriors
1610612745 HOU hou  Rockets      Houston Rockets
1610612754 IND ind  Pacers       Indiana Pacers
1610612746 LAC lac  Clippers     Los Angeles Clippers
1610612747 LAL lal  Lakers       Los Angeles Lakers
1610612763 MEM mem  Grizzlies    Memphis Grizzlies
1610612748 MIA mia  Heat         Miami Heat
1610612749 MIL mil  Bucks        Milwaukee Bucks
1610612750 MIN min  Timberwolves Minnesota Timberwolves
1610612740 NOP no   Pelicans     New Orleans Pelicans
1610612752 NYK ny   Knicks       New York Knicks
1610612760 OKC okc  Thunder      Oklahoma City Thunder
1610612753 ORL orl  Magic        Orlando Magic
1610612755 PHI phi  76ers        Philadelphia 76ers
1610612756 PHX phx  Suns         Phoenix Suns
1610612757 POR por  Blazers      Portland Trail Blazers
1610612758 SAC sac  Kings        Sacramento Kings
1610612759 SAS sa   Spurs        San Antonio Spurs
1610612761 TOR tor  Raptors      Toronto Raptors
1610612762 UTA utah Jazz         Utah Jazz
1610612764 WAS wsh  Wizards      Washington Wizards
"""


@dataclass(frozen=True)
class Team:
    """One team and what each source calls it."""

    team_id: int
    abbr: str
    lines_code: str
    nickname: str
    name: str


@lru_cache(maxsize=1)
def teams() -> tuple[Team, ...]:
    """Return the thirty teams."""
    rows = (line.split(maxsplit=4) for line in _TEAMS.strip().splitlines())
    return tuple(Team(int(team_id), abbr, code, nickname, name) for team_id, abbr, code, nickname, name in rows)


@lru_cache(maxsize=1)
def other_names() -> dict[str, str]:
    """Return abbreviation by every further name a feed uses for a team."""
    return {"LA Clippers": "LAC"}
