"""Counts of turns that add up exactly: over minutes, files, workers and restarts.

Everything is an integer, latencies in fixed histogram buckets, so the order of adding never
shows. Quantiles are read from the buckets and are exact to about 12 %. It knows no files.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from chatloop.core.errors import DataError
from chatloop.core.telemetry import TurnRecord

LATENCY_BOUNDS_MS = (*(float(f"{0.1 * 10 ** (i / 10):.3g}") for i in range(61)), 120_000.0)
"""Upper bounds (inclusive) of the latency buckets, ten a decade; one more lies above them."""

CONFIDENCE_BINS = 10

DIMENSIONS = (
    "intent",
    "chosen_model",
    "answered_by",
    "reason",
    "arm",
    "status",
    "mode",
    "degraded_reason",
    "anomaly_reason",
    "pii_prompt",
    "pii_answer",
)
"""Fields of the record that are counted by value. The first seven have one value a turn."""

NONE = "none"
"""What a turn counts under that has no value in a dimension."""

_Key = TypeVar("_Key", int, str)


def _no_counts() -> dict[str, dict[str, int]]:
    return {dimension: {} for dimension in DIMENSIONS}


@dataclass(slots=True)
class Aggregate:
    """Sums over turns. `counts[dimension][value]` is a number of turns."""

    turns: int = 0
    local: int = 0
    degraded: int = 0
    anomalies: int = 0
    errors: int = 0
    pii: int = 0
    latency_us: int = 0
    confidence_ppm: int = 0
    latency_buckets: dict[int, int] = field(default_factory=dict)
    confidence_bins: dict[int, int] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=_no_counts)

    def add(self, record: TurnRecord) -> None:
        """Count one turn."""
        self.turns += 1
        self.local += record.answered_by == "approved" and record.chosen_model == "local"
        self.degraded += record.degraded
        self.anomalies += record.anomaly
        self.errors += record.error is not None
        self.pii += bool(record.pii_prompt or record.pii_answer)
        self._add_numbers(record.latency_ms, record.confidence)
        for dimension, value in _values(record):
            _count(self.counts[dimension], value)

    def merge(self, other: Aggregate) -> None:
        """Add the turns of `other`."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        _merge(self.latency_buckets, other.latency_buckets)
        _merge(self.confidence_bins, other.confidence_bins)
        for dimension in DIMENSIONS:
            _merge(self.counts[dimension], other.counts.get(dimension, {}))

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-ready values; `from_dict` gives an equal aggregate."""
        made: dict[str, Any] = msgspec.to_builtins(self, str_keys=True)
        return made

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Aggregate:
        """Rebuild an aggregate. Raises DataError when `values` are not one."""
        try:
            return msgspec.convert(values, cls, str_keys=True)
        except msgspec.ValidationError as error:
            raise DataError(f"not an aggregate of turns: {error}") from error

    @property
    def mean_latency_ms(self) -> float | None:
        """Mean latency, exact to the microsecond; None without turns."""
        return self.latency_us / 1000 / self.turns if self.turns else None

    @property
    def mean_confidence(self) -> float | None:
        """Mean confidence; None without turns."""
        return self.confidence_ppm / 1e6 / self.turns if self.turns else None

    def latency_quantile_ms(self, share: float) -> float | None:
        """The latency that `share` of the turns did not exceed, within its bucket; or None."""
        left = share * self.turns
        for bucket in sorted(self.latency_buckets):
            count = self.latency_buckets[bucket]
            if left <= count:
                return _inside(bucket, left / count)
            left -= count
        return None

    def summary(self) -> dict[str, Any]:
        """The figures people look at, JSON-ready. Shares are of turns; None without turns."""
        return {
            "turns": self.turns,
            "share_local": self._share(self.local),
            "share_degraded": self._share(self.degraded),
            "share_anomaly": self._share(self.anomalies),
            "share_error": self._share(self.errors),
            "share_pii": self._share(self.pii),
            "latency_ms": {
                "mean": _rounded(self.mean_latency_ms),
                "p50": _rounded(self.latency_quantile_ms(0.50)),
                "p95": _rounded(self.latency_quantile_ms(0.95)),
                "p99": _rounded(self.latency_quantile_ms(0.99)),
            },
            "confidence": {
                "mean": _rounded(self.mean_confidence),
                "histogram": [self.confidence_bins.get(b, 0) for b in range(CONFIDENCE_BINS)],
            },
            "by": {dimension: dict(self.counts[dimension]) for dimension in DIMENSIONS},
        }

    def _add_numbers(self, latency_ms: float, confidence: float) -> None:
        latency_ms = max(latency_ms, 0.0)
        confidence = min(max(confidence, 0.0), 1.0)
        self.latency_us += round(latency_ms * 1000)
        self.confidence_ppm += round(confidence * 1e6)
        _count(self.latency_buckets, bisect_left(LATENCY_BOUNDS_MS, latency_ms))
        _count(self.confidence_bins, min(int(confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1))

    def _share(self, count: int) -> float | None:
        return round(count / self.turns, 6) if self.turns else None


_SUMS = (
    "turns",
    "local",
    "degraded",
    "anomalies",
    "errors",
    "pii",
    "latency_us",
    "confidence_ppm",
)


def _values(record: TurnRecord) -> Iterator[tuple[str, str]]:
    for dimension in DIMENSIONS[:7]:
        yield dimension, getattr(record, dimension) or NONE
    if record.degraded_reason:
        yield "degraded_reason", record.degraded_reason
    for dimension in DIMENSIONS[8:]:
        values: Iterable[str] = getattr(record, dimension)
        for value in dict.fromkeys(values):
            yield dimension, value


def _count(counts: dict[_Key, int], key: _Key) -> None:
    counts[key] = counts.get(key, 0) + 1


def _merge(counts: dict[_Key, int], others: dict[_Key, int]) -> None:
    for key, count in others.items():
        counts[key] = counts.get(key, 0) + count


def _inside(bucket: int, share: float) -> float:
    """The value at `share` of a bucket, on its logarithmic scale."""
    if bucket >= len(LATENCY_BOUNDS_MS):
        return LATENCY_BOUNDS_MS[-1]
    upper = LATENCY_BOUNDS_MS[bucket]
    lower = LATENCY_BOUNDS_MS[bucket - 1] if bucket else upper / 10**0.1
    return float(lower * (upper / lower) ** share)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
