"""Says in one line which settings are wrong, and what was probably meant.

It judges nothing and repeats no value: a wrong one may be a secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic import ValidationError

from chatloop.core.llm_settings import ModelSettings


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what to say after an unknown `name`: the nearest known one, or where to look."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else "; see docs/reference/settings.md"


def in_one_line(error: ValidationError, settings: Iterable[str]) -> str:
    """Return what is wrong with at most five settings; `settings`: the names that there are."""
    parts = []
    for problem in error.errors(include_input=False, include_url=False)[:5]:
        name, known = _place(problem["loc"], settings)
        key = str(problem["loc"][-1]) if problem["loc"] else ""
        hint = nearest(key, known) if problem["type"] == "extra_forbidden" else ""
        message = problem["msg"].removeprefix("Value error, ")
        parts.append(f"{name}: {message}{hint}" if name else f"{message}{hint}")
    return "wrong setting: " + "; ".join(parts)


def _place(path: tuple[int | str, ...], settings: Iterable[str]) -> tuple[str, Iterable[str]]:
    """Return a setting's name, such as `models[0].address`, and the names it may be meant for."""
    if len(path) > 1 and path[0] == "models":
        key = f".{path[2]}" if len(path) > 2 else ""
        return f"models[{path[1]}]{key}", ModelSettings.model_fields
    return str(path[0]).lower() if path else "", settings
