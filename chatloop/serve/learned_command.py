"""`python -m chatloop learned`: what ratings taught the current release, and the way back.

It works with the server down; a server that runs follows within two seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from chatloop.core.errors import ReleaseError
from chatloop.core.release import read_pointer
from chatloop.core.settings import Settings
from chatloop.loop.feedback.hint_rung import HintMove
from chatloop.loop.feedback.learned import Kind, Learned, content_of, read_learned
from chatloop.loop.store import Store
from chatloop.serve.learned import describe
from chatloop.serve.wiring import make_learner

Say = Callable[[str], None]


def show(settings: Settings, say: Say) -> None:
    """Print what is in force, and every move that is known."""
    store, release = Store(settings.store_url), _current(settings)
    try:
        learned = read_learned(store, release)
    finally:
        store.close()
    for line in _lines(release, learned, settings):
        say(line)


def reset(settings: Settings, kinds: tuple[Kind, ...], say: Say) -> None:
    """Go back to the start of the current release, of one kind or all."""
    store, release = Store(settings.store_url), _current(settings)
    try:
        learner = make_learner(settings, store)
        for kind in kinds:
            learner.reset(release, kind)
            say(f"{kind}: back to the start of release {release}")
    finally:
        store.close()


def _current(settings: Settings) -> str:
    pointer = read_pointer(settings.models_dir)
    if pointer is None:
        raise ReleaseError("there is no release yet: run `python train_model.py`")
    return pointer.version


def _lines(release: str, learned: Learned, settings: Settings) -> list[str]:
    found = describe(learned, content_of(settings.models_dir, release).hints)
    hint, votes = found["hint"], found["hint"]["votes"]
    moves = learned.hint.moves if learned.hint else ()
    models = [
        f"llm   {name}: {m['up']} up, {m['down']} down, mean {m['mean']:.2f}"
        for name, m in found["models"].items()
    ]
    return [
        f"release {release}",
        *([learned.problem] if learned.problem else []),
        f"hint  rung {hint['rung']} of {hint['start']} to {hint['top']}: {hint['text'] or 'none'}",
        f"      votes since the last move: {votes['up']} up, {votes['down']} down",
        *map(_move, moves),
        *(models or ["llm   no votes yet"]),
    ]


def _move(move: HintMove) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(move.at))
    return (
        f"      {when}: {move.before} to {move.after} by {move.by} ({move.up} up, {move.down} down)"
    )
