"""`train_model.py`: one cycle in this process, with a report on the terminal."""

from __future__ import annotations

import os
from collections.abc import Callable

from chatloop.core.errors import ReleaseError
from chatloop.core.settings import Settings
from chatloop.loop.data.rows import FILE, read_rows
from chatloop.loop.evaluate.report import terminal_report
from chatloop.loop.retrain.cycle import run_cycle
from chatloop.loop.retrain.job import take_lock
from chatloop.loop.store import Store

Say = Callable[[str], None]


def train_by_hand(settings: Settings, *, gated: bool, say: Say) -> int:
    """Train, report, promote; returns 0, or 3 when the gate refused. Raises ChatloopError."""
    read_rows(settings.data_dir / FILE)  # the clearest error first: no data yet
    lock = take_lock(settings.data_dir)
    if lock is None:
        raise ReleaseError("a retraining job is running: wait for it, then try again")
    store = Store(settings.store_url)
    try:
        result = run_cycle(
            settings,
            store,
            gated=gated,
            force=False,
            actor="train_model.py",
            report=lambda _done, _stage, line: say(line),
        )
    finally:
        store.close()
        os.close(lock)
    if result.built:
        for line in terminal_report(result.built.metadata, result.built.golden_counts):
            say(line)
    say(result.message)
    if result.promoted:
        say("next: `uvicorn main:app` (or `make run`)")
    return 3 if result.refused else 0
