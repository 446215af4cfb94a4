"""A retraining job as its parent sees it: one at a time on this machine, in a child process.

The parent takes the lock, writes the job down and hands the lock to the child (`child.py`), so
that a killed parent neither stops the job nor leaves a lock behind. Nothing here trains: a
serving process never imports scikit-learn.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from chatloop.core.settings import Settings
from chatloop.loop.store import Job, JobState

try:
    import fcntl
except ImportError:  # Windows: jobs are kept apart within one process only
    fcntl = None  # type: ignore[assignment]

LOCK = ".retrain.lock"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


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
    command = [sys.executable, "-m", "chatloop.loop.retrain.child", "--job", job.job_id]
    command += ["--actor", job.actor or "api"]
    command += ["--force"] if force else []
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
        cwd=Path.cwd(),
        pass_fds=(lock,) if fcntl else (),
    )
    assert child.stdin is not None
    with child.stdin as pipe:  # the child has the parent's settings, arguments and secrets too
        pipe.write(settings.revealed().encode())
    return child


def failed(job: Job, message: str) -> Job:
    """Return the job as failed, with the reason in its result."""
    return replace(job, state=JobState.FAILED, result=message_of(message), finished_at=time.time())


def message_of(line: str) -> str:
    """Return the result of a job that has only words so far."""
    return json.dumps({"message": line})
