"""The child process of /retrain: `python -m chatloop.loop.retrain.child`. Runs one cycle.

It holds the lock that its parent took, reports into the store, and always ends the job there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import time
from dataclasses import replace

from chatloop.core.errors import ChatloopError
from chatloop.core.logs import set_up_logging
from chatloop.core.settings import Settings
from chatloop.loop.retrain.cycle import run_cycle
from chatloop.loop.retrain.job import failed, message_of, new_job
from chatloop.loop.store import JobState, Store

log = logging.getLogger(__name__)
_NICENESS = 10


def run(settings: Settings, job_id: str, *, force: bool, actor: str) -> int:
    """Run one cycle as `job_id`; returns the exit code: 0, 1 for a fault, 3 when refused."""
    store = Store(settings.store_url)
    job = store.job(job_id) or replace(new_job(actor), job_id=job_id)
    job = replace(job, state=JobState.RUNNING, pid=os.getpid(), started_at=time.time())

    def report(progress: float, stage: str, line: str) -> None:
        nonlocal job
        job = replace(job, progress=progress, stage=stage, result=message_of(line))
        store.save_job(job)

    try:
        result = run_cycle(settings, store, gated=True, force=force, actor=actor, report=report)
    except ChatloopError as error:
        store.save_job(failed(job, str(error)))
        return 1
    except Exception as error:
        log.exception("retraining job %s failed", job_id)
        store.save_job(failed(job, f"unexpected {type(error).__name__}; see the log"))
        return 1
    text = json.dumps(result.to_wire())
    job = replace(job, state=JobState.DONE, stage="done", progress=1.0, result=text)
    store.save_job(replace(job, finished_at=time.time()))
    return 3 if result.refused else 0


def main() -> int:
    """Entry point of the child process."""
    parser = argparse.ArgumentParser(description="Run one retraining job (used by /retrain).")
    parser.add_argument("--job", required=True)
    parser.add_argument("--actor", default="api")
    parser.add_argument("--force", action="store_true")
    given = parser.parse_args()
    set_up_logging()
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    settings = Settings(**json.loads(sys.stdin.read()))
    return run(settings, given.job, force=given.force, actor=given.actor)


if __name__ == "__main__":
    sys.exit(main())
