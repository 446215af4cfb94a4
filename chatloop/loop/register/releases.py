"""The life of releases: list, promote, roll back, history. The pointer is all that must move.

Works with the server down. A rollback writes nothing but the pointer; the history line and the
copies for people are best effort, so a full disk does not stop it.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatloop.core.errors import ReleaseError
from chatloop.core.locks import exclusive
from chatloop.core.release import (
    METADATA,
    PIPELINE,
    REPORT,
    Pointer,
    list_versions,
    open_release,
    read_pointer,
    write_pointer,
)

log = logging.getLogger(__name__)
HISTORY = "history.jsonl"


@dataclass(frozen=True, slots=True)
class Switch:
    """A change of what is served."""

    version: str
    previous: str | None


def promote(models_dir: Path, version: str, actor: str) -> Switch:
    """Serve `version` from now on. Raises ReleaseError when it is absent, broken or current."""
    with _alone(models_dir):
        release = open_release(models_dir, version)
        release.verify()
        current = _pointer_or_none(models_dir)
        if current and current.version == version:
            raise ReleaseError(f"release {version} is already the current one")
        earlier = (*current.earlier, (current.version, current.manifest_sha256)) if current else ()
        pointer = Pointer(version, release.manifest_sha256, time.time(), actor, earlier)
        write_pointer(models_dir, pointer)
    previous = current.version if current else None
    _after(models_dir, "promote", pointer, previous)
    return Switch(version, previous)


def rollback(models_dir: Path, actor: str) -> Switch:
    """Serve the release before the current one again; the newest earlier one that is whole.

    Raises ReleaseError when there is nothing to go back to.
    """
    with _alone(models_dir):
        previous, earlier = _way_back(models_dir)
        while earlier:
            version, digest = earlier.pop()
            try:
                release = open_release(models_dir, version, digest)
                release.verify()
            except ReleaseError as error:
                log.warning("rollback passes over %s: %s", version, error)
                continue
            kept = tuple((v, d) for v, d in earlier if d)
            pointer = Pointer(version, release.manifest_sha256, time.time(), actor, kept)
            write_pointer(models_dir, pointer)
            break
        else:
            raise ReleaseError(
                "there is no earlier release to roll back to; `python -m chatloop models` lists all"
            )
    _after(models_dir, "rollback", pointer, previous)
    return Switch(pointer.version, previous)


def _alone(models_dir: Path) -> AbstractContextManager[None]:
    if not models_dir.is_dir():
        raise ReleaseError("there is no release yet: run `python train_model.py` first")
    return exclusive(models_dir / ".lock")


def _way_back(models_dir: Path) -> tuple[str | None, list[tuple[str, str | None]]]:
    """Return what is served and the earlier releases, newest last; a damaged pointer's way back
    is read from the history, without the digests that it held.
    """
    try:
        current = read_pointer(models_dir)
    except ReleaseError:
        log.warning("the pointer is damaged: the way back is read from %s", HISTORY)
        served = [str(entry.get("version")) for entry in read_history(models_dir)]
        last = served[-1] if served else None
        return last, [(version, None) for version in dict.fromkeys(served) if version != last]
    return (current.version, list(current.earlier)) if current else (None, [])


def _pointer_or_none(models_dir: Path) -> Pointer | None:
    """A damaged pointer must not stop a promotion: that is the way out of it."""
    try:
        return read_pointer(models_dir)
    except ReleaseError:
        log.warning("the pointer was damaged and is written anew")
        return None


def _after(models_dir: Path, act: str, pointer: Pointer, previous: str | None) -> None:
    """Write the history line and the copies for people; both are best effort."""
    line = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(pointer.since)),
        "act": act,
        "version": pointer.version,
        "previous": previous,
        "actor": pointer.actor,
    }
    try:
        with (models_dir / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for part in (PIPELINE, METADATA):
            shutil.copyfile(models_dir / "releases" / pointer.version / part, models_dir / part)
    except OSError as error:
        log.warning("%s done, but its history or copies were not written (%s)", act, error.strerror)


def describe_all(models_dir: Path) -> dict[str, Any]:
    """Return the current version, all releases with their figures, and the history."""
    pointer = _pointer_or_none(models_dir)
    current = pointer.version if pointer else None
    models = [_describe(models_dir, version, current) for version in list_versions(models_dir)]
    return {"current": current, "models": models[::-1], "history": read_history(models_dir)[::-1]}


def _describe(models_dir: Path, version: str, current: str | None) -> dict[str, Any]:
    base = {"version": version, "current": version == current}
    try:
        release = open_release(models_dir, version)
        metadata = json.loads(release.read(METADATA))
        accuracy = metadata["test"]["accuracy"]
        return base | {
            "created_at": metadata["created_at"],
            "accuracy": accuracy["value"],
            "accuracy_interval": [accuracy["low"], accuracy["high"]],
            "macro_f1": metadata["test"]["macro_f1"]["value"],
            "rows": sum(metadata["rows"].values()),
            "test_rows": accuracy["n"],
            "intents": metadata["intents"],
            "threshold": metadata["threshold"],
            "report": REPORT in release.digests,
            "state": "whole",
        }
    except (ReleaseError, ValueError, KeyError, TypeError) as error:
        return base | {"state": "broken", "problem": str(error)}


def read_history(models_dir: Path) -> list[dict[str, Any]]:
    """Return what was served when and by whose act, oldest first; unreadable lines are left out."""
    try:
        lines = (models_dir / HISTORY).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for line in lines:
        try:
            entries.append(dict(json.loads(line)))
        except (ValueError, TypeError):
            log.warning("an unreadable line in %s was passed over", HISTORY)
    return entries
