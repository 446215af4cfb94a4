from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from chatloop.core.errors import DataError
from chatloop.core.feedback import Feedback, FeedbackType
from chatloop.loop.feedback.reports import Reports


def report(number: int, words: str) -> Feedback:
    return Feedback(
        feedback_id=f"fb_{number}",
        feedback_type=FeedbackType.BUG_REPORT,
        status="accepted",
        source="cli",
        created_at=1_700_000_000.25,
        comment=words,
        user="pseudonym",
    )


def test_a_report_is_one_line_that_a_person_can_read(tmp_path: Path):
    path = tmp_path / "data" / "chatbot_feedback.jsonl"
    Reports(path).append(report(1, "größer als\nzwei Zeilen"))
    (line,) = path.read_text("utf-8").splitlines()
    assert "größer" in line
    assert json.loads(line) == {
        "feedback_id": "fb_1",
        "created_at": "2023-11-14T22:13:20.250+00:00",
        "user_id": "pseudonym",
        "feedback_type": "bug_report",
        "description": "größer als\nzwei Zeilen",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_torn_tail_never_merges_with_the_next_report(tmp_path: Path):
    path = tmp_path / "chatbot_feedback.jsonl"
    reports = Reports(path)
    reports.append(report(1, "first"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-20])
    reports.append(report(2, "second"))
    lines = path.read_text().splitlines()
    assert [json.loads(lines[0])["feedback_id"], json.loads(lines[2])["feedback_id"]] == [
        "fb_1",
        "fb_2",
    ]
    assert len(lines) == 3


def test_a_report_that_cannot_be_written_is_an_error_with_the_file(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"chatbot_feedback\.jsonl cannot be written"):
        Reports(tmp_path / "file" / "chatbot_feedback.jsonl").append(report(1, "x"))
