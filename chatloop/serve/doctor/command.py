"""The command itself: all checks in a fixed order, printed for people or as JSON.

Imports only what an old Python without packages has; `python -m chatloop` falls back to `main`
here when it cannot import its commands.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

from chatloop.serve.doctor import machine
from chatloop.serve.doctor.base import Finding, State, fail
from chatloop.serve.doctor.examine import LIMIT_S, checks_of, examine

QUICK = ("port", "folders", "data", "release", "log", "store", "proxy")
_COLOURS = {State.OK: "32", State.WARN: "33", State.FAIL: "31"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(given: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Look at everything and say it; returns 1 when something fails, else 0."""
    states = set()
    found = []
    for finding in look():
        states.add(finding.state)
        found.append(asdict(finding))
        if not given.json:
            say(line(finding, coloured=_is_colour_wanted()))
    if given.json:
        say(json.dumps({"state": worst(states).value, "checks": found}, indent=1))
    return int(State.FAIL in states)


def worst(states: set[State]) -> State:
    """Return the worst of them; OK when there are none."""
    return next((s for s in (State.FAIL, State.WARN) if s in states), State.OK)


def look() -> Iterator[Finding]:
    """Yield all findings in order: first what needs no package, last what may take seconds."""
    yield from examine({"python": machine.check_python, "packages": machine.check_packages})
    try:
        from chatloop.serve.doctor.settings import read

        settings, finding = read()
    except ImportError as error:
        yield fail("settings", f"cannot be read, nor anything else: {error}", machine.HINT)
        return
    yield finding
    yield from examine(checks_of(settings, QUICK))
    yield from examine(checks_of(settings, ("llm",)), LIMIT_S + settings.first_token_timeout_s)


def line(finding: Finding, *, coloured: bool) -> str:
    """Return one line for people: state, name, what was found, what to type next."""
    word = f"{finding.state.value:<5}"
    if coloured:
        word = f"\033[{_COLOURS[finding.state]}m{word}\033[0m"
    hint = f" -> {finding.hint}" if finding.hint else ""
    return f"{word} {finding.name:<13} {finding.found}{hint}"


def _is_colour_wanted() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def main(arguments: list[str] | None = None) -> int:
    """Run the doctor whatever command was typed, because none can be imported; returns 1."""
    parser = argparse.ArgumentParser(add_help=False)
    add_options(parser)
    run(parser.parse_known_args(arguments)[0], _say)
    return 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
