"""Shared by the tests of the doctor: run one check as the doctor does, and find its line."""

from __future__ import annotations

from chatloop.core.settings import Settings
from chatloop.serve.doctor.base import Finding
from chatloop.serve.doctor.examine import LIMIT_S, checks_of, examine


def findings_of(check: str, settings: Settings, limit_s: float = LIMIT_S) -> dict[str, Finding]:
    """What the module `check` found, by the name of the line."""
    found = examine(checks_of(settings, [check]), limit_s)
    assert all(f.found for f in found)
    assert all(bool(f.hint) == (f.state != "ok") for f in found), "what is wrong needs a hint"
    return {f.name: f for f in found}
