"""Telemetry records and lines for the tests of the monitor."""

from __future__ import annotations

import random

import msgspec

from chatloop.core.ids import TurnIds
from chatloop.core.telemetry import TurnRecord

NOW = 1_790_000_000.0


def turn_id(at: float) -> str:
    """An id made at that moment; from a maker of its own, because ids never go back in time."""
    return TurnIds(b"a secret for tests only").new(at)


def record(**changes) -> TurnRecord:
    values = {
        "turn_id": "t",
        "ts": NOW,
        "model_version": "v1",
        "intent": "refund",
        "confidence": 0.9,
        "chosen_model": "local",
        "answered_by": "approved",
        "reason": "sure",
        "arm": "local",
        "latency_ms": 12.0,
    }
    return TurnRecord(**{**values, **changes})


def random_record(rng: random.Random, **changes) -> TurnRecord:
    degraded = rng.random() < 0.2
    values = {
        "intent": rng.choice(["refund", "invoice", None]),
        "confidence": rng.random(),
        "chosen_model": rng.choice(["local", "llm/tiny", "fallback"]),
        "reason": rng.choice(["sure", "unsure", "explored"]),
        "latency_ms": 10 ** rng.uniform(-2, 5.5),
        "degraded": degraded,
        "degraded_reason": "llm_timeout" if degraded else None,
        "anomaly": rng.random() < 0.1,
        "anomaly_reason": ("long_prompt",) if rng.random() < 0.1 else (),
        "pii_prompt": ("email", "phone")[: rng.randrange(3)],
        "pii_answer": ("card",)[: rng.randrange(2)],
        "error": "ValueError" if rng.random() < 0.1 else None,
    }
    return record(**{**values, **changes})


def line(one: TurnRecord) -> bytes:
    return msgspec.json.encode(one)
