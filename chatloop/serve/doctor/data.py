"""The check `data`: is all there that a training reads, and can it be read."""

from __future__ import annotations

from collections.abc import Iterator

from chatloop.core.errors import DataError
from chatloop.core.settings import Settings
from chatloop.loop.data.content import ANSWERS, GOLDEN, KNOWLEDGE
from chatloop.loop.data.knowledge import (
    read_answers,
    read_golden,
    read_messages,
    read_pages,
    read_prompt,
)
from chatloop.loop.data.rows import FILE, read_rows
from chatloop.serve.doctor.base import Finding, fail, ok


def check(settings: Settings) -> Iterator[Finding]:
    """Read everything once, as a training would."""
    folder = settings.data_dir
    if not (folder / FILE).exists():
        yield fail("data", f"{folder / FILE} is not there", "python prepare_data.py")
        return
    try:
        rows = read_rows(folder / FILE)
        read_answers(folder / ANSWERS)
        passages = read_pages(folder / KNOWLEDGE)
        read_golden(folder / GOLDEN)
        read_messages(folder / "messages.yaml")
        read_prompt(folder / "prompt.txt")
    except (DataError, OSError) as error:
        yield fail("data", str(error), "mend that place, or python prepare_data.py --force")
        return
    intents = {row.intent for row in rows if row.in_scope}
    found = f"{len(rows)} rows, {len(intents)} intents, {len(passages)} help passages"
    if intents:
        yield ok("data", found)
    else:
        yield fail("data", found, "python prepare_data.py --force")
