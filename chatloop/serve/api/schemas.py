"""The wire: what each call takes and gives back. Unknown fields are refused.

Inside the house these become the dataclasses of `core.types`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from chatloop.core.feedback import FeedbackType
from chatloop.core.types import Mode

Identity = Annotated[str, Field(min_length=1, max_length=200)]
_ON = {"1", "true", "yes", "up", "+1", "1.0"}
_OFF = {"-1", "false", "no", "down", "0", "-1.0"}


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Line(_In):
    """One earlier line of the conversation."""

    role: Literal["user", "assistant"]
    content: str = Field(max_length=100_000)


class ChatIn(_In):
    """A message. `question` may stand for `prompt`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"prompt": "How do I get a refund?"},
                {"prompt": "Compare your plans", "mode": "llm", "user_id": "u-17"},
            ]
        },
    )

    prompt: str = Field(
        max_length=200_000,
        validation_alias=AliasChoices("prompt", "question"),
        description="The customer's message.",
    )
    mode: Mode = Field(Mode.AUTO, description="auto decides; local and llm force.")
    ab_prob: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="Share of units that go to the LLM."
    )
    llm_model: str | None = Field(
        None, max_length=200, description="One LLM by name, if one is asked."
    )
    user_id: Identity | None = Field(None, description="Kept only as a keyed hash.")
    session_id: Identity | None = Field(None, description="Kept only as a keyed hash.")
    history: list[Line] = Field(default_factory=list, max_length=20, description="Newest last.")
    suggested_intent: str | None = Field(
        None, max_length=41, description="Intent of a suggestion that was tapped, or `person`."
    )
    hint_rung: int | None = Field(
        None, ge=0, le=9, description="Rung of the hint ladder to use; none: the learned one."
    )


class PredictIn(_In):
    """One text (`prompt`) or several (`prompts`)."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"prompt": "my invoice is wrong"}]}
    )

    prompt: str | None = Field(None, max_length=200_000)
    prompts: list[Annotated[str, Field(max_length=200_000)]] | None = Field(None, max_length=1000)
    explain: bool = Field(False, description="Say which words spoke for and against; one text.")

    @model_validator(mode="after")
    def _one_of_both(self) -> PredictIn:
        if (self.prompt is None) == (self.prompts is None):
            raise ValueError("give `prompt` or `prompts`, one of both")
        if self.explain and self.prompts is not None:
            raise ValueError("`explain` goes with `prompt`, one text at a time")
        return self


class FeedbackIn(_In):
    """Feedback of any kind: a label for a text, a rating of a turn, a report."""

    model_config = ConfigDict(
        extra="forbid",
        str_strip_whitespace=True,
        json_schema_extra={
            "examples": [
                {"text": "I want my money back", "label": "refund_request"},
                {"turn_id": "(from the reply)", "rating": "down", "label": "refund_request"},
                {
                    "text": "do you sponsor meetups?",
                    "label": "sponsorship",
                    "answer": "Write to us through the contact form, subject Sponsorship.",
                },
            ]
        },
    )

    text: str | None = Field(None, max_length=20_000)
    label: str | None = Field(None, max_length=200)
    turn_id: str | None = Field(None, max_length=100)
    rating: Literal["up", "down"] | None = None
    comment: str | None = Field(
        None, max_length=20_000, validation_alias=AliasChoices("comment", "description")
    )
    answer: str | None = Field(None, max_length=20_000)
    feedback_type: FeedbackType | None = None
    user_id: Identity | None = None
    idempotency_key: str | None = Field(None, min_length=1, max_length=200)

    @field_validator("rating", mode="before")
    @classmethod
    def _rating(cls, value: Any) -> Any:
        """Take up, down, 1, -1, true, false."""
        text = str(value).strip().lower()
        if value is None or text in {"up", "down"}:
            return value if value is None else text
        return "up" if text in _ON else "down" if text in _OFF else value


class RetrainIn(_In):
    """How to retrain. `wait` false answers at once with 202 and an address to ask."""

    wait: bool = True
    force: bool = Field(False, description="Promote although the gate refused.")


class RouteOut(BaseModel):
    """Why this answer: see explanation/routing in the manual."""

    arm: str | None
    answered_by: str | None
    reason: str | None
    pscore: float | None
    threshold: float | None
    certified: bool


class SourceOut(BaseModel):
    """A help passage that the answer rests on."""

    page: str
    title: str
    heading: str
    anchor: str
    start: int
    end: int
    url: str


class SuggestionOut(BaseModel):
    """Something to tap instead of typing again: send `intent` back as `suggested_intent`."""

    text: str
    intent: str | None


class HandOverOut(BaseModel):
    """A person takes it from here. No ticket: none could be stored; the words are still true."""

    reason: str
    ticket: str | None


class ChatOut(BaseModel):
    """A reply and how it came about."""

    answer: str
    chosen_model: str
    latency_ms: float
    intent: str | None
    confidence: float
    anomaly: bool
    anomaly_reason: list[str]
    turn_id: str
    route: RouteOut
    sources: list[SourceOut]
    suggestions: list[SuggestionOut]
    guard: dict[str, list[str]]
    usage: dict[str, float] | None
    context: str
    supported: bool | None
    prompt_cut: bool
    remote: bool
    hand_over: HandOverOut | None
    degraded: bool
    degraded_reason: str | None
    interrupted: bool
    model_version: str


class FeedbackOut(BaseModel):
    """What became of the feedback."""

    feedback_id: str
    status: str
    message: str
