"""The checks `store` and `last_retrain`: does the store open, and how did learning go last."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from chatloop.core.errors import StoreError
from chatloop.core.settings import Settings
from chatloop.loop.store import Job, JobState, Store
from chatloop.serve.doctor.base import Finding, fail, ok, warn

SQLITE = "sqlite:///"
AGAIN = "make retrain"


def check(settings: Settings) -> Iterator[Finding]:
    """Open the store and read the newest job. A SQLite file is not made by looking for it."""
    url = settings.store_url
    if url.startswith(SQLITE) and not Path(url.removeprefix(SQLITE)).exists():
        yield ok("store", "not made yet: the first feedback or training makes it")
        return
    try:
        with closing(Store(url)) as store:
            pieces = sum(sum(by_status.values()) for by_status in store.counts().values())
            jobs = store.jobs(limit=1)
    except StoreError as error:
        found, _, hint = str(error).partition("; ")
        saved = "; the labels are in data/new_user_data.csv too, so a damaged file can be moved"
        yield fail("store", found, hint + saved)
        return
    kind = url.partition(":")[0]
    yield ok("store", f"{kind} opens, its schema fits, {pieces} pieces of feedback")
    yield _judge(jobs[0], settings) if jobs else ok("last_retrain", "none was asked for yet")


def _judge(job: Job, settings: Settings) -> Finding:
    result: dict[str, Any] = json.loads(job.result or "{}")
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(job.finished_at or job.created_at))
    words = f"{when}: {result.get('message', 'no word from it')}"
    if job.state is JobState.FAILED:
        return fail("last_retrain", f"failed, {words}", f"mend that, then {AGAIN}")
    if job.state is not JobState.DONE:
        late = time.time() - job.created_at > settings.retrain_timeout_s
        found = f"{job.state}, {words}"
        return warn("last_retrain", f"still {found}", AGAIN) if late else ok("last_retrain", found)
    if (result.get("gate") or {}).get("verdict") == "refused" and not result.get("promoted"):
        return warn("last_retrain", f"refused, {words}", "python -m chatloop models shows both")
    return ok("last_retrain", words)
