"""The values that travel through one message: frozen, typed, without behaviour.

Probabilities, scores and thresholds lie in [0, 1]; thresholds act at `>=`. Times are seconds
since the epoch (UTC) unless the name says otherwise (`_ms`, `_s`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

OOS = "oos"
"""The out-of-scope class. It takes probability mass, it is never an answer."""

PERSON = "person"
"""What `suggested_intent` says when a person was tapped, whatever intents the data set has."""


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
    HAND_OVER = "hand_over"


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
    FOLLOW_UP = "follow_up"
    TAPPED = "tapped"
    ASKED_FOR_PERSON = "asked_for_person"
    REPEATED_FAILURE = "repeated_failure"
    POLICY = "policy"


class Context(StrEnum):
    """Where the earlier lines of a conversation came from."""

    CLIENT = "client"
    SESSION = "session"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One earlier line of the conversation. `role` is `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message as it arrived: raw text, raw ids. Never written anywhere.

    `suggested_intent`: the intent of a suggestion that was tapped, or PERSON. `hint_rung`: the
    rung of the hint ladder that the caller wants, None = the learned one. `failures`: unsure
    replies in a row, this session, so far.
    """

    prompt: str
    mode: Mode = Mode.AUTO
    ab_prob: float | None = None
    llm_model: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    history: tuple[Exchange, ...] = ()
    request_id: str = ""
    context: Context = Context.NONE
    suggested_intent: str | None = None
    hint_rung: int | None = None
    failures: int = 0


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
    context: Context = Context.NONE
    suggested_intent: str | None = None
    hint_rung: int | None = None
    failures: int = 0

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
    """A help passage that a reply rests on: characters `start` to `end` of its page's text.

    A higher `score` is closer.
    """

    page: str
    title: str
    heading: str
    anchor: str
    score: float
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A way out of an unsure reply: a question to tap, and the intent behind it, or PERSON."""

    text: str
    intent: str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and model time of one generation, as the backend reported them.

    `cost`: price of the tokens in the currency of the settings, 0 for a local model.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    load_ms: float = 0.0
    first_token_ms: float = 0.0
    cost: float = 0.0


class LlmReason(StrEnum):
    """Why this language model was picked."""

    ONLY = "only"
    DRAWN = "drawn"
    REQUESTED = "requested"


@dataclass(frozen=True, slots=True)
class LlmChoice:
    """The language model picked for a message, with the chance that each of them had.

    `odds` sum to 1; `pscore` is the exact chance of `model` among them, None when requested.
    """

    model: str
    reason: LlmReason
    pscore: float | None
    odds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The words of a reply and where they came from.

    `supported`: whether a help passage holds the answer, None when none was looked for.
    `prompt_cut`: not all of the conversation and passages fitted. `remote`: the question left
    this machine. `hand_over`: why a person should take it from here.
    """

    text: str
    answered_by: AnsweredBy
    chosen_model: str
    degraded: bool = False
    degraded_reason: str | None = None
    interrupted: bool = False
    sources: tuple[Source, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    usage: Usage | None = None
    llm: LlmChoice | None = None
    hint_rung: int | None = None
    supported: bool | None = None
    prompt_cut: bool = False
    remote: bool = False
    hand_over: Reason | None = None
