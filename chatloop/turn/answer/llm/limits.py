"""What a language model is asked on: which one, where, and within which limits. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from chatloop.core.types import Usage
from chatloop.turn.answer.llm.breaker import BreakerLimits
from chatloop.turn.answer.llm.discover import AUTO

_PER_MILLION = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmLimits:
    """Every limit of talking to one model.

    `first_token_timeout_s` holds for a loaded model; loading one has `load_timeout_s`, and no
    customer waits for it. `probe_timeout_s` is for the short questions (version, lists).
    `remote_probe_interval_s`: between looks at a compatible server elsewhere that is well.
    """

    connect_timeout_s: float = 0.5
    first_token_timeout_s: float = 10.0
    load_timeout_s: float = 300.0
    gap_timeout_s: float = 10.0
    total_timeout_s: float = 60.0
    probe_interval_s: float = 5.0
    remote_probe_interval_s: float = 60.0
    probe_timeout_s: float = 1.0
    in_flight: int = 1
    waiting: int = 16
    wait_timeout_s: float = 3.0
    line_limit_bytes: int = 1 << 20
    body_limit_bytes: int = 8 << 20
    breaker: BreakerLimits = field(default_factory=BreakerLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model of one server.

    `model`: the server's name for it. `name`: what replies show, None = the server's name.
    `key_env`: variable that should hold the key; with `key` None it does not. `context_tokens`:
    the largest window to use, None = what the server says. Prices are per million tokens.
    """

    address: str
    model: str = AUTO
    name: str | None = None
    key: str | None = field(default=None, repr=False)
    key_env: str | None = None
    context_tokens: int | None = None
    price_in: float = 0.0
    price_out: float = 0.0
    allow_cloud: bool = False
    preload: bool = True
    limits: LlmLimits = field(default_factory=LlmLimits)

    def cost(self, usage: Usage) -> float:
        """Price of one answer."""
        paid = usage.prompt_tokens * self.price_in + usage.completion_tokens * self.price_out
        return paid * _PER_MILLION
