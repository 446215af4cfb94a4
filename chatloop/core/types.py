"""The values that travel through one message: frozen, typed, without behaviour.

Probabilities, scores and thresholds lie in [0, 1]; thresholds act at `>=`. Times are seconds
since the epoch (UTC) unless the name says otherwise (`_ms`, `_s`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

SCHEMA_VERSION = 1
"""Version of the telemetry line. Old versions stay readable."""

OOS = "oos"
"""The out-of-scope class. It takes probability mass, it is never an answer."""


class Mode(StrEnum):
    """Who may answer, as the caller asked for it."""

    AUTO = "auto"
    LOCAL = "local"
    LLM = "llm"


class Arm(StrEnum):
    """The side of the traffic split that a turn was assigned to."""

    LOCAL = "local"
    LLM = "llm"
    FORCED = "forced"


class AnsweredBy(StrEnum):
    """What kind of words the reply is made of."""

    APPROVED = "approved"
    LLM = "llm"
    PASSAGE = "passage"
    REFUSAL = "refusal"
    HAND_OVER = "hand_over"


class Step(StrEnum):
    """What the route asks for. Failures later change who answers, never the plan."""

    APPROVED = "approved"
    GENERATE = "generate"
    PASSAGE = "passage"
    REFUSE = "refuse"


class Reason(StrEnum):
    """Why the route chose its step."""

    SURE = "sure"
    UNSURE = "unsure"
    OUT_OF_SCOPE = "out_of_scope"
    NO_APPROVED_ANSWER = "no_approved_answer"
    ARM_LLM = "arm_llm"
    EXPLORED = "explored"
    FORCED = "forced"
    BLOCKED = "blocked"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One earlier line of the conversation. `role` is `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message as it arrived: raw text, raw ids. Never written anywhere."""

    prompt: str
    mode: Mode = Mode.AUTO
    ab_prob: float | None = None
    llm_model: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    history: tuple[Exchange, ...] = ()
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message after `receive`: normalised text, pseudonyms for the ids."""

    turn_id: str
    text: str
    mode: Mode
    ab_prob: float
    llm_model: str | None
    user: str | None
    session: str | None
    history: tuple[Exchange, ...]
    request_id: str

    @property
    def unit(self) -> str:
        """The independent unit of an experiment: user, else session, else this turn."""
        return self.user or self.session or self.turn_id


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard made of a text: `text` is safe to store; `kinds` lists what was taken out."""

    text: str
    kinds: tuple[str, ...] = ()
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class IntentScore:
    """One label with its calibrated probability."""

    intent: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Intent:
    """The classifier's view of a text.

    `label` and `confidence` are the most probable IN-SCOPE intent and its probability;
    `in_scope` is False when out-of-scope is more probable than any of them. A text without
    one known feature abstains: label None, confidence 0.
    """

    label: str | None
    confidence: float
    in_scope: bool
    top: tuple[IntentScore, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The routing decision and every number it was made from.

    `pscore` is the probability of the action chosen (local or llm) over the draw of arm and
    exploration, given this message; None for forced turns, which never count in experiments.
    """

    step: Step
    arm: Arm
    reason: Reason
    pscore: float | None
    threshold: float
    certified: bool
    ab_prob: float
    explore: float


@dataclass(frozen=True, slots=True)
class Source:
    """A help passage that a reply rests on. `score` is BM25, higher is closer."""

    page: str
    title: str
    heading: str
    anchor: str
    score: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A way out of an unsure reply: a question to tap, and the intent behind it."""

    text: str
    intent: str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and model time of one generation, as the backend reported them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    load_ms: float = 0.0
    first_token_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The words of a reply and where they came from."""

    text: str
    answered_by: AnsweredBy
    chosen_model: str
    degraded: bool = False
    degraded_reason: str | None = None
    interrupted: bool = False
    sources: tuple[Source, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """One telemetry line: exactly one a message, guarded text only.

    Documented field by field in docs/reference/telemetry.md, which a test compares.
    """

    turn_id: str
    ts: float
    model_version: str
    schema_version: int = SCHEMA_VERSION
    request_id: str = ""
    user: str | None = None
    session: str | None = None
    mode: str = Mode.AUTO
    prompt: str | None = None
    prompt_chars: int = 0
    answer: str | None = None
    intent: str | None = None
    confidence: float = 0.0
    in_scope: bool = False
    arm: str | None = None
    step: str | None = None
    reason: str | None = None
    pscore: float | None = None
    threshold: float | None = None
    certified: bool = False
    ab_prob: float = 0.0
    explore: float = 0.0
    answered_by: str | None = None
    chosen_model: str | None = None
    degraded: bool = False
    degraded_reason: str | None = None
    interrupted: bool = False
    sources: tuple[Source, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    usage: Usage | None = None
    pii_prompt: tuple[str, ...] = ()
    pii_answer: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    anomaly: bool = False
    anomaly_reason: tuple[str, ...] = ()
    latency_ms: float = 0.0
    stage_ms: dict[str, float] = field(default_factory=dict)
    status: str = "ok"
    error: str | None = None


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
