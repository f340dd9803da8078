"""The statement behind training sets before Google's analyser."""

from __future__ import annotations

import pytest

from schemas.catalogue import load_catalogue
from serving.labels import candidates_statement
from tests.googlesql import analyser
from tests.googlesql.analyser import InvalidGoogleSQLError, available

PARAMETERS = {
    "start_date": "DATE",
    "end_date": "DATE",
    "known_by": "TIMESTAMP",
    "cutoff_minutes": "INT64",
    "max_failure_defaults": "INT64",
    "training_ready": "BOOL",
    "structural_defaults": "BOOL",
    "definition": "STRING",
}


@pytest.mark.skipif(available() is not None, reason=str(available()))
def test_rows_and_labels_pass_googles_analyser_and_nonsense_does_not() -> None:
    for service in load_catalogue().services:
        analyser.analyse(candidates_statement(service.name), PARAMETERS)
    with pytest.raises(InvalidGoogleSQLError):
        analyser.analyse(candidates_statement("points_v3_37features").replace("tipoff_time", "tip_off"), PARAMETERS)
