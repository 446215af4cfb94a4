"""Operator logging: standard `logging`, set up only by entry points, never on import.

User text never reaches these logs; telemetry is a product of its own (`core/jsonl.py`).
"""

from __future__ import annotations

import logging
import sys

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def set_up_logging(level: int = logging.INFO) -> None:
    """Send the project's log lines to standard error; quiet the chatty libraries."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger("chatloop")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
    for name in ("httpx", "httpcore", "bm25s", "gradio"):
        logging.getLogger(name).setLevel(logging.WARNING)
