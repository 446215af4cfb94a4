"""Starts, joins and watches retraining jobs from a serving process.

A second call joins the running job, on any worker. The job's state is in the store; this side
adds the time limit, and the word of the workers once a new release is out.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chatloop.core.errors import ReleaseError
from chatloop.core.settings import Settings
from chatloop.loop.retrain.job import failed, new_job, spawn, take_lock
from chatloop.loop.store import Job, JobState
from chatloop.serve.live import Live

if TYPE_CHECKING:
    from chatloop.loop.store import Store

log = logging.getLogger(__name__)
_LOOK_INTERVAL_S = 0.2
_JOIN_LIMIT_S = 20.0
ENDED = (JobState.DONE, JobState.FAILED)


class Retraining:
    """The jobs as one worker sees them."""

    def __init__(self, settings: Settings, store: Store, live: Live) -> None:
        self._settings = settings
        self._store = store
        self._live = live
        self._watchers: set[asyncio.Task[None]] = set()

    async def start(self, *, force: bool, actor: str) -> Job:
        """Start a job, or return the one that is running.

        Raises ReleaseError when somebody trains without a job (`train_model.py`).
        """
        until = time.monotonic() + _JOIN_LIMIT_S
        while time.monotonic() < until:
            lock = take_lock(self._settings.data_dir)
            if lock is not None:
                return await self._start(lock, force=force, actor=actor)
            job = await asyncio.to_thread(self._store.running_job)
            if job:
                return job
            # A job that has just ended holds the lock until its process is gone.
            await asyncio.sleep(_LOOK_INTERVAL_S)
        raise ReleaseError("a training started by hand is running: wait for it, then try again")

    async def _start(self, lock: int, *, force: bool, actor: str) -> Job:
        try:
            job = new_job(actor)
            await asyncio.to_thread(self._store.save_job, job)
            process = spawn(job, self._settings, lock, force=force)
        finally:
            os.close(lock)
        watcher = asyncio.create_task(self._watch(job, process))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return job

    async def _watch(self, job: Job, process: Any) -> None:
        """End a job that takes too long, and mark one whose process died."""
        until = time.monotonic() + self._settings.retrain_timeout_s
        while process.poll() is None:
            if time.monotonic() > until:
                log.error("retraining job %s took too long and was ended", job.job_id)
                process.kill()
            await asyncio.sleep(_LOOK_INTERVAL_S)
        found = await asyncio.to_thread(self._store.job, job.job_id)
        if found and found.state not in ENDED:
            message = f"the job's process ended early (exit code {process.returncode})"
            await asyncio.to_thread(self._store.save_job, failed(found, message))

    async def wait(self, job: Job) -> Job:
        """Wait until a job has ended, whoever runs it."""
        until = time.monotonic() + self._settings.retrain_timeout_s + 10
        while job.state not in ENDED and time.monotonic() < until:
            await asyncio.sleep(_LOOK_INTERVAL_S)
            found = await asyncio.to_thread(self._store.job, job.job_id)
            job = found or job
        return job

    async def describe(self, job: Job) -> dict[str, Any]:
        """Return the job for the wire; a promoted one with the count of workers that follow."""
        result: dict[str, Any] = json.loads(job.result or "{}")
        if result.get("promoted"):
            workers = await self._live.all_follow(str(result["new_version"]))
            result["workers"] = asdict(workers)
        return asdict(job) | {"result": result, "message": result.get("message", "")}

    async def close(self) -> None:
        """Leave running jobs alone: they end by themselves and the next start follows."""
        for watcher in self._watchers:
            watcher.cancel()
