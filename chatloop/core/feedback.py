"""What a person tells us, as it travels through the loop: frozen values without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FeedbackType(StrEnum):
    """What a person wants to tell us."""

    LABEL = "label"
    RATING = "rating"
    CORRECTION = "correction"
    BUG_REPORT = "bug_report"
    SUGGESTION = "suggestion"
    QUESTION = "question"
    COMPLAINT = "complaint"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One piece of feedback, already redacted. `status`: accepted, queued_for_review, ..."""

    feedback_id: str
    feedback_type: FeedbackType
    status: str
    source: str
    created_at: float
    text: str | None = None
    label: str | None = None
    answer: str | None = None
    rating: int | None = None
    comment: str | None = None
    turn_id: str | None = None
    user: str | None = None
    idempotency_key: str | None = None
    model_version: str | None = None
