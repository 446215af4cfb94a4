"""The telemetry line: what is kept of one message, and nothing of it in the clear."""

from __future__ import annotations

from dataclasses import dataclass, field

from chatloop.core.types import Context, LlmChoice, Mode, Source, Suggestion, Usage

SCHEMA_VERSION = 1
"""Version of the telemetry line. Old versions stay readable."""


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
    llm: LlmChoice | None = None
    hint_rung: int | None = None
    supported: bool | None = None
    prompt_cut: bool = False
    remote: bool = False
    hand_over: str | None = None
    context: str = Context.NONE
    follow_up: bool = False
    suggested_intent: str | None = None
    pii_prompt: tuple[str, ...] = ()
    pii_answer: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    anomaly: bool = False
    anomaly_reason: tuple[str, ...] = ()
    latency_ms: float = 0.0
    stage_ms: dict[str, float] = field(default_factory=dict)
    status: str = "ok"
    error: str | None = None
