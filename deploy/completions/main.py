"""Entry of the completion handler: `functions-framework --target=completed --source=deploy/completions/main.py`."""

from __future__ import annotations

import logging
from typing import Any

import functions_framework

from orchestration.completion_handler import handle

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")


@functions_framework.cloud_event
def completed(event: Any) -> None:
    """Take one completion message; an error makes the platform deliver it again."""
    reaction, done = handle(event)
    why = f" ({'; '.join(reaction.why)})" if reaction.why else ""
    logging.info("%s %s: store %s%s; %s sent", reaction.message, reaction.game_date or "", reaction.store, why, len(done.sent))
