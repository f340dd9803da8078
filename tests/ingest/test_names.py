"""Player keys, and which player a spelling means."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import DefinitionError
from transformations.ingest.names import KnownPlayer, PlayerNames, load_aliases, match_key, player_key, spellings

NAMES = (
    "Bam Adebayo", "Kevin Huerter", "Amir Coffey", "Brandon Boston", "Jalen Johnson", "Jaren Jackson Jr.", "CJ McCollum", "Nic Claxton",
    "Herbert Jones", "Nikola Jokić", "Brook Lopez", "Tre Jones", "Kai Jones", "Jalen Green", "Josh Green", "Jaylin Williams",
)  # fmt: skip
EVERYONE = tuple(player_key(name) for name in NAMES)


@pytest.fixture
def names() -> PlayerNames:
    return PlayerNames((KnownPlayer(player_key(name), name) for name in NAMES), {match_key("Moe Bones"): "trejones"})


@pytest.mark.parametrize(
    ("name", "key", "match"),
    [
        ("Jaren Jackson Jr.", "jarenjacksonjr", "jarenjackson"),
        ("Nikola Jokić", "nikolajokic", "nikolajokic"),
        ("Dāvis Bertāns", "davisbertans", "davisbertans"),
        ("Kristaps Porziņģis", "kristapsporzingis", "kristapsporzingis"),
        ("Luka Đurišić", "lukadurisic", "lukadurisic"),
        ("De'Aaron Fox", "deaaronfox", "deaaronfox"),
        ("Karl-Anthony Towns", "karlanthonytowns", "karlanthonytowns"),
        ("Robert Williams III", "robertwilliamsiii", "robertwilliams"),
        ("C.J. McCollum", "cjmccollum", "cjmccollum"),
        ("Sr.", "sr", "sr"),
    ],
)
def test_keys_keep_the_suffix_and_match_keys_drop_it(name: str, key: str, match: str) -> None:
    assert (player_key(name), match_key(name)) == (key, match)


@pytest.mark.parametrize(
    ("spelling", "player"),
    [
        ("• Edrice Adebayo / Bam Adebayo", "bamadebayo"),
        ("Huerter Kevin", "kevinhuerter"),
        ("Huerter, Kevin", "kevinhuerter"),
        ("A. Coffey", "amircoffey"),
        ("BJ Boston", "brandonboston"),
        ("Jalen (2001) Johnson", "jalenjohnson"),
        ("Jalen Johnson (b. 2001-12-18)", "jalenjohnson"),
        ("Jaren Jackson", "jarenjacksonjr"),
        ("C.J. McCollum", "cjmccollum"),
        ("Christian James McCollum", "cjmccollum"),
        ("Nicolas Claxton", "nicclaxton"),
        ("Herb Jones", "herbertjones"),
        ("Nikola Jokic", "nikolajokic"),
        ("Brook Robert Lopez", "brooklopez"),
        ("Moe Bones", "trejones"),
    ],
)
def test_spellings_find_their_player(names: PlayerNames, spelling: str, player: str) -> None:
    assert names.find(spelling, EVERYONE) == player


@pytest.mark.parametrize("spelling", ["J. Green", "Nobody Known", "Jones", "", "•", "(b. 2000-01-01)", "2/14/2024", "/"])
def test_a_spelling_that_fits_nobody_or_several_finds_nobody(names: PlayerNames, spelling: str) -> None:
    assert names.find(spelling, EVERYONE) is None


def test_initials_count_only_among_the_players_at_hand(names: PlayerNames) -> None:
    assert names.find("A. Coffey") is None
    assert names.find("J. Green", ["jalengreen", "amircoffey"]) == "jalengreen"
    assert names.find("Herb Jones", ["trejones", "kaijones"]) is None


def test_a_full_name_finds_a_player_elsewhere_but_not_his_namesake(names: PlayerNames) -> None:
    assert names.find("Jaylin Williams", ["bamadebayo"]) == "jaylinwilliams"
    assert names.find("Jaylin Williams (b. 2000-07-26)", ["bamadebayo"]) is None
    assert names.find("Jaylin Williams (b. 2002-06-29)", ["jaylinwilliams"]) == "jaylinwilliams"


def test_an_alias_for_a_player_who_is_not_there_finds_nobody() -> None:
    assert PlayerNames([KnownPlayer("trejones", "Tre Jones")], {match_key("Moe Bones"): "kaijones"}).find("Moe Bones") is None


def test_forms_of_a_cell_are_listed_once_best_first() -> None:
    assert spellings("• Herbert Jones / Herb Jones (Keyshawn)") == ("Herbert Jones", "Herb Jones")
    assert spellings("(James) Mike Scott") == ("Mike Scott",)
    assert spellings("Tre Jones / Tre Jones") == ("Tre Jones",)


def test_an_alias_that_says_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "aliases.yaml"
    file.write_text("aliases: {C.J. McCollum: CJ McCollum}\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"C\.J\. McCollum"):
        load_aliases(file)


def test_the_alias_table_holds_keys() -> None:
    aliases = load_aliases()
    assert aliases
    assert all(key == player_key(key) and value == player_key(value) for key, value in aliases.items())
