"""The process in which one run is measured: `python -m benchmarks.child STEP`, with the home in NBA_FEATURES_HOME."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from benchmarks import steps
from schemas.settings import load_settings


def main(step: str) -> None:
    """Run one step and print its reading as the last line."""
    reading = getattr(steps, step)(load_settings())
    print(json.dumps(asdict(reading), default=str))


if __name__ == "__main__":
    main(sys.argv[1])
