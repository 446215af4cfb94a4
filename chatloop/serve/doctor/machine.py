"""The checks `python` and `packages`: is this the program that the pins were made for.

Standard library only, so that a Python without any package can say what it lacks.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from chatloop.serve.doctor.base import Finding, fail, ok, warn

OLDEST = (3, 11)
REQUIREMENTS = Path(__file__).parents[3] / "requirements.txt"
HINT = "make setup, then .venv/bin/python -m chatloop doctor"
_PIN = re.compile(r"^([\w.-]+)==([^\s;]+)(?: *; *([^\\\n]+))?", re.MULTILINE)
_NAMED = 5


def check_python(found: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Finding]:
    """Say whether this Python is new enough."""
    words = ".".join(map(str, found))
    if found >= OLDEST:
        yield ok("python", words)
    else:
        wanted = ".".join(map(str, OLDEST))
        hint = f"install one, then make run PYTHON=python{wanted}"
        yield fail("python", f"{words} is too old, {wanted} or newer is needed", hint)


def check_packages(
    requirements: Path = REQUIREMENTS, installed: Callable[[str], str] = version
) -> Iterator[Finding]:
    """Compare the installed packages with the pins; a missing one is named.

    `installed` returns a version or raises PackageNotFoundError.
    """
    if not requirements.is_file():
        words = f"not compared: {requirements.name} is not beside the program"
        yield warn("packages", words, "run it from a copy of the whole project")
        return
    pins = _pins(requirements)
    found = {name: _version_or_none(installed, name) for name in pins}
    missing = [name for name, has in found.items() if has is None]
    other = [f"{n} {found[n]} (pinned {p})" for n, p in pins.items() if found[n] not in {None, p}]
    if missing:
        yield fail("packages", f"{len(missing)} of {len(pins)} missing: {_some(missing)}", HINT)
    elif other:
        yield warn("packages", f"{len(other)} of {len(pins)} differ: {_some(other)}", HINT)
    else:
        yield ok("packages", f"all {len(pins)} as pinned in {requirements.name}")


def _pins(requirements: Path) -> dict[str, str]:
    """Return name and version of every pin that is meant for this machine."""
    found = _PIN.findall(requirements.read_text("utf-8"))
    return {name: pinned for name, pinned, marker in found if not marker or _applies(marker)}


def _applies(marker: str) -> bool:
    try:
        from packaging.markers import Marker
    except ImportError:  # itself a pin without a marker, so its absence is reported
        return False
    return Marker(marker.strip()).evaluate()


def _version_or_none(installed: Callable[[str], str], name: str) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
