"""The check `release`: is one current, and is every part of it what the manifest says."""

from __future__ import annotations

import time
from collections.abc import Iterator

from chatloop.core.errors import ReleaseError
from chatloop.core.release import open_release, read_pointer
from chatloop.core.settings import Settings
from chatloop.serve.doctor.base import Finding, fail, ok


def check(settings: Settings) -> Iterator[Finding]:
    """Read every part of the current release once."""
    try:
        pointer = read_pointer(settings.models_dir)
        if pointer is None:
            hint = "python train_model.py (after python prepare_data.py)"
            yield fail("release", "nothing was trained yet", hint)
            return
        release = open_release(settings.models_dir, pointer.version, pointer.manifest_sha256)
        release.verify()
    except ReleaseError as error:
        found, _, hint = str(error).partition("; ")
        yield fail("release", found, hint or "python -m chatloop models")
        return
    since = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(pointer.since))
    earlier = f"{len(pointer.earlier)} to roll back to"
    parts = f"{len(release.digests)} parts verified"
    yield ok("release", f"{release.version}, {parts}, current since {since}, {earlier}")
