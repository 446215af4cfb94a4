"""What the staff reports (bugs, ideas, complaints): one readable JSON line each.

data/chatbot_feedback.jsonl is for people; the store holds the same and counts. Texts arrive
redacted, user ids as pseudonyms.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from chatloop.core.errors import DataError
from chatloop.core.feedback import Feedback, FeedbackType
from chatloop.core.locks import exclusive
from chatloop.loop.feedback.copy import append_durably, iso_time

FILE = "chatbot_feedback.jsonl"
REPORT_TYPES = frozenset(
    {
        FeedbackType.BUG_REPORT,
        FeedbackType.SUGGESTION,
        FeedbackType.QUESTION,
        FeedbackType.COMPLAINT,
        FeedbackType.OTHER,
    }
)


@dataclass(frozen=True, slots=True)
class Reports:
    """The file of staff reports."""

    path: Path

    def append(self, feedback: Feedback) -> None:
        """Add one line, on disk before this returns; a torn tail gets its line end first.

        Raises DataError.
        """
        line = {
            "feedback_id": feedback.feedback_id,
            "created_at": iso_time(feedback.created_at),
            "user_id": feedback.user,
            "feedback_type": feedback.feedback_type,
            "description": feedback.comment,
        }
        data = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(self.path.with_name(f".{self.path.name}.lock")):
                append_durably(self.path, b"\n" + data if self._torn() else data)
        except OSError as error:
            raise DataError(f"{self.path} cannot be written ({error.strerror})") from error

    def _torn(self) -> bool:
        if not self.path.exists() or self.path.stat().st_size == 0:
            return False
        with self.path.open("rb") as file:
            file.seek(-1, 2)
            return file.read() != b"\n"
