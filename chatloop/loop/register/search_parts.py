"""Makes the parts of a release that a search reads, from its texts and its training rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from chatloop.core.types import OOS
from chatloop.loop.data.asked import read_asked, read_not_covered
from chatloop.loop.data.help_index import Knowledge, index_parts
from chatloop.loop.data.help_support import support_part
from chatloop.loop.data.rows import Part, Row
from chatloop.turn.answer.content import ANSWERS, PASSAGES, HelpPassage

QUESTIONS = "questions.json"
"""What people ask, by page and heading, and what no page answers: as it was at training."""


def questions_part(folder: Path) -> bytes:
    """Return the questions beside the help pages in `folder`; raises DataError by file."""
    asked = [[*where, list(questions)] for where, questions in read_asked(folder).items()]
    found = {"asked": asked, "not_covered": read_not_covered(folder)}
    return json.dumps(found, ensure_ascii=False, indent=1).encode()


def search_parts(texts: Mapping[str, bytes], rows: Sequence[Row], seed: int) -> dict[str, bytes]:
    """Return index and judgement of support; only fit rows are learnt from.

    `texts`: the text parts of the same release.
    """
    pages = {intent: entry["page"] for intent, entry in json.loads(texts[ANSWERS]).items()}
    questions = json.loads(texts[QUESTIONS])
    fit = [row for row in rows if row.split == Part.FIT]
    knowledge = Knowledge(
        passages=[HelpPassage(**entry) for entry in json.loads(texts[PASSAGES])],
        asked={(page, heading): tuple(listed) for page, heading, listed in questions["asked"]},
        phrasings=[(r.text, page) for r in fit if (page := pages.get(r.intent))],
        not_covered=questions["not_covered"],
        outside=[r.text for r in fit if r.intent == OOS],
    )
    return {**index_parts(knowledge, seed), **support_part(knowledge, seed)}
