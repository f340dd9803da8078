"""Teams and names of the simulated league: the league's thirty in conference order, and name parts."""

from __future__ import annotations

import numpy as np

from transformations.ingest.teams import teams

EAST = ("ATL", "BOS", "BKN", "CHA", "CHI", "CLE", "DET", "IND", "MIA", "MIL", "NYK", "ORL", "PHI", "TOR", "WAS")
TEAMS = (*EAST, *(team.abbr for team in teams() if team.abbr not in EAST))
ALL_STAR_TEAMS = ("EST", "WST")

# Accents, apostrophes, hyphens and dots are here on purpose: keys must come out the same for every spelling of them.
FIRST_NAMES = (
    "Aaron", "Adrian", "Amir", "Anton", "Bastien", "Bojan", "Bruno", "Caleb", "Cameron", "Carlos", "Cedric", "Chris", "Corey",
    "Dario", "Darius", "Davion", "De'Marcus", "Derrick", "Deshawn", "Dominik", "Elijah", "Emil", "Evan", "Fabien", "Felix",
    "Gabriel", "Gary", "Goran", "Hugo", "Ibrahim", "Isaac", "Ivan", "J.T.", "Jamal", "Jaylen", "Jérôme", "Jordan", "José", "Julian",
    "Kareem", "Karl-Anton", "Keegan", "Kofi", "Kris", "Lamar", "Leon", "Luka", "Malik", "Marcus", "Mateo", "Matas", "Miles",
    "Moses", "Nate", "Nikola", "Noah", "Omar", "Oscar", "Patrick", "Quentin", "R.J.", "Rashad", "Ricky", "Rodrigo", "Sam", "Sergio",
    "Shai", "Simon", "Tariq", "Terrence", "Theo", "Tobias", "Tyler", "Vincent", "Vít", "Walker", "Xavier", "Yannick", "Zach", "Zoran",
)  # fmt: skip
LAST_NAMES = (
    "Abara", "Adeleke", "Alvarez", "Archer", "Baptiste", "Barlow", "Bennett", "Bogdanov", "Brandt", "Brooks-Hale", "Calloway",
    "Carrington", "Castillo", "Chandler", "Clemons", "Cole", "Cortez", "Crawley", "D'Arcy", "Delgado", "Diallo", "Dragan", "Dubois",
    "Eastman", "Ellison", "Ferreira", "Fontaine", "Foster", "Gaines", "Gallo", "García", "Greer", "Hadley", "Hartmann", "Hayes",
    "Holloway", "Hughes", "Ivanov", "Jansen", "Jokanović", "Keita", "Kessler", "Kovač", "Lambert", "Lindqvist", "Lockwood", "Mbaye",
    "McAllister", "Mercer", "Moreau", "Moss", "Mutombe", "Nance", "Ndiaye", "Novak", "O'Rourke", "Okafor", "Osei", "Paredes", "Pavlović",
    "Pike", "Porter-Lane", "Quarles", "Ramsey", "Reyes", "Rossi", "Sabatier", "Schröter", "Sharpe", "Silva", "Stanton", "Tate",
    "Thiam", "Thornton", "Uzoh", "Valdez", "Vesel", "Vukčević", "Wallace", "Weaver", "Whitfield", "Yeboah", "Young", "Zeller", "Zidane",
)  # fmt: skip
SUFFIXES = ("", " Jr.", " III")
NAME_SPACE = len(FIRST_NAMES) * len(LAST_NAMES)


def player_names(rng: np.random.Generator, count: int, taken: int) -> list[str]:
    """Return `count` full names, unlike the `taken` names drawn before them from the same generator seed.

    The name space is walked in one fixed random order, so names stay the same when later seasons add players.
    """
    order = rng.permutation(NAME_SPACE)
    names = []
    for number in range(taken, taken + count):
        first, last = divmod(int(order[number % NAME_SPACE]), len(LAST_NAMES))
        suffix = SUFFIXES[1 + number % 2] if number % 23 == 7 else SUFFIXES[0]
        lap = number // NAME_SPACE
        names.append(f"{FIRST_NAMES[first]} {LAST_NAMES[last]}{suffix}{' ' + 'I' * (3 + lap) if lap else ''}")
    return names
