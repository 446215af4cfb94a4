"""A retraining job: one at a time on this machine, in a child process, its state in the store.

The parent takes the lock, writes the job down and hands the lock to the child, so that a killed
parent neither stops the job nor leaves a lock behind. The child is what `python -m
chatloop.loop.retrain.job` runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import secrets
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from chatloop.core.errors import ChatloopError
from chatloop.core.logs import set_up_logging
from chatloop.core.settings import Settings, load_settings
from chatloop.loop.retrain.cycle import run_cycle
from chatloop.loop.store import Job, JobState, Store

try:
    import fcntl
except ImportError:  # Windows: jobs are kept apart within one process only
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)
LOCK = ".retrain.lock"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_NICENESS = 10


def take_lock(data_dir: Path) -> int | None:
    """Return a descriptor that holds the machine-wide lock; None when a job is running."""
    descriptor = os.open(data_dir / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    if fcntl:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
    return descriptor


def new_job(actor: str) -> Job:
    """Return a fresh job, not yet started."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    return Job(
        job_id=f"{stamp}-{secrets.token_hex(3)}",
        state=JobState.QUEUED,
        created_at=time.time(),
        actor=actor,
    )


def spawn(job: Job, settings: Settings, lock: int, *, force: bool) -> subprocess.Popen[bytes]:
    """Start the child; it inherits the lock, which frees itself when the child ends."""
    command = [sys.executable, "-m", "chatloop.loop.retrain.job", "--job", job.job_id]
    command += ["--home", str(settings.home), "--actor", job.actor or "api"]
    command += ["--force"] if force else []
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment,
        cwd=Path.cwd(),
        pass_fds=(lock,) if fcntl else (),
    )


def run(settings: Settings, job_id: str, *, force: bool, actor: str) -> int:
    """Run one cycle as `job_id`; returns the exit code: 0, 1 for a fault, 3 when refused."""
    store = Store(settings.store_url)
    job = store.job(job_id) or replace(new_job(actor), job_id=job_id)
    job = replace(job, state=JobState.RUNNING, pid=os.getpid(), started_at=time.time())

    def report(progress: float, stage: str, line: str) -> None:
        nonlocal job
        job = replace(job, progress=progress, stage=stage, result=_message(line))
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


def failed(job: Job, message: str) -> Job:
    """Return the job as failed, with the reason in its result."""
    return replace(job, state=JobState.FAILED, result=_message(message), finished_at=time.time())


def _message(line: str) -> str:
    return json.dumps({"message": line})


def main() -> int:
    """Entry point of the child process."""
    parser = argparse.ArgumentParser(description="Run one retraining job (used by /retrain).")
    parser.add_argument("--job", required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--actor", default="api")
    parser.add_argument("--force", action="store_true")
    given = parser.parse_args()
    set_up_logging()
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    settings = load_settings(home=given.home)
    return run(settings, given.job, force=given.force, actor=given.actor)


if __name__ == "__main__":
    sys.exit(main())
