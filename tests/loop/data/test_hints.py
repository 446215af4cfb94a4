from __future__ import annotations

from pathlib import Path

import pytest

from chatloop.core.errors import DataError
from chatloop.loop.data.hints import LONGEST_HINT_CHARS, MOST_RUNGS, read_hints
from chatloop.turn.answer.hints import HintLadder

SHIPPED = Path(__file__).parents[3] / "data" / "hints.yaml"


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "hints.yaml"
    file.write_text(text, "utf-8")
    return file


def test_the_shipped_ladder_has_four_rungs_and_begins_on_the_first():
    ladder = read_hints(SHIPPED)
    assert (len(ladder.rungs), ladder.start) == (4, 0)


def test_no_file_is_a_ladder_without_rungs(tmp_path):
    assert read_hints(tmp_path / "hints.yaml") == HintLadder()


def test_hints_are_read_in_order(tmp_path):
    file = write(tmp_path, 'start: 1\nrungs:\n  - " be short "\n  - "be exact"\n')
    assert read_hints(file) == HintLadder(("be short", "be exact"), 1)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "expected"),
        ("- a\n", 1, "expected"),
        ("start: 0\nrungs: be nice\n", 1, "expected"),
        ("start: 0\nrungs: []\n", 1, "expected"),
        ("rungs:\n  - a\n  -\n", 3, "a hint is a text"),
        ("rungs:\n  - a\n  - 5\n", 3, "a hint is a text"),
        ("rungs:\n  - be: nice\n", 2, "a hint is a text"),
        (f"rungs:\n  - {'x' * (LONGEST_HINT_CHARS + 1)}\n", 2, "a hint is a text"),
        ("rungs:\n" + "  - a\n" * (MOST_RUNGS + 1), 12, "at most"),
        ("rungs:\n  - a\nstart: 1\n", 3, "`start`"),
        ("rungs:\n  - a\nstart: -1\n", 3, "`start`"),
        ("rungs:\n  - a\nstart: yes\n", 3, "`start`"),
        ("rungs:\n  - 'a\n", 3, "not valid YAML"),
    ],
)
def test_a_slip_is_told_with_file_and_line(tmp_path, text, line, problem):
    with pytest.raises(DataError, match=problem) as caught:
        read_hints(write(tmp_path, text))
    assert f"hints.yaml, line {line}:" in str(caught.value)
