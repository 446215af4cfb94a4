"""The checks `disk` and `folders`: room, and the right to write in data/, models/ and logs/.

Nothing is left behind: the right is proved by a file without a name, and a folder that is not
there yet is judged by the one that it would be made in.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from chatloop.core.settings import Settings
from chatloop.serve.doctor.base import Finding, fail, ok, warn

FULL_BYTES = 100_000_000
"""Below this a training or a rotation of the log may fail half-way."""
LOW_BYTES = 1_500_000_000
"""Below this the log cannot grow to its default bound (21 files of 64 MB)."""


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def check(settings: Settings, free_bytes: Callable[[Path], int] = _free_bytes) -> Iterator[Finding]:
    """Look at the three folders."""
    folders = (settings.data_dir, settings.models_dir, settings.logs_dir)
    free = min(free_bytes(_existing(folder)) for folder in folders)
    words = f"{free / 1e9:.1f} GB free for {', '.join(f.name for f in folders)}"
    if free < FULL_BYTES:
        yield fail("disk", words, f"make room; see what is large: du -sh {settings.home}/*")
    elif free < LOW_BYTES:
        yield warn("disk", words, f"see what is large: du -sh {settings.home}/*")
    else:
        yield ok("disk", words)
    if problems := [p for folder in folders if (p := _problem(folder))]:
        hint = "give them to the user that runs the bot (chown), or set CHATLOOP_HOME"
        yield fail("folders", "; ".join(problems), hint)
    else:
        yield ok("folders", f"all can be written below {settings.home.resolve()}")


def _existing(folder: Path) -> Path:
    """Return `folder`, or the nearest one above that is there."""
    return next(path for path in (folder, *folder.resolve().parents) if path.exists())


def _problem(folder: Path) -> str | None:
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)):
            return None
    except OSError as error:
        return f"{folder} cannot be written ({error.strerror})"
