"""The totals of the log in Prometheus' text format.

Only what the log says: a worker's own counters (4xx, breaker) are shown elsewhere. The number
of label values is bounded, because intents and model names change over a log's life.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from chatloop.loop.monitor.aggregate import LATENCY_BOUNDS_MS, Aggregate
from chatloop.loop.monitor.metrics import LogMetrics

MAX_LABEL_VALUES = 200
OTHER = "other"

_BY_LABEL = (
    ("chatloop_turns", "Turns, by whose words the reply is.", "chosen_model"),
    ("chatloop_turns_by_intent", "Turns, by intent.", "intent"),
    ("chatloop_turns_by_answer", "Turns, by kind of answer.", "answered_by"),
    ("chatloop_turns_by_reason", "Turns, by reason of the route.", "reason"),
    ("chatloop_turns_by_arm", "Turns, by arm of the traffic split.", "arm"),
    ("chatloop_turns_by_mode", "Turns, by mode asked for.", "mode"),
    ("chatloop_turns_by_status", "Turns, by status.", "status"),
)
_SUMS = (
    ("chatloop_local", "Turns answered by the intent model alone.", "local"),
    ("chatloop_degraded", "Turns answered by a lower rung than the route asked for.", "degraded"),
    ("chatloop_turn_errors", "Turns in which a step failed.", "errors"),
    ("chatloop_anomalous_turns", "Turns that broke an anomaly rule.", "anomalies"),
    ("chatloop_pii_turns", "Turns in which personal data was found.", "pii"),
)
_BY_REASON = (
    ("chatloop_degraded_by_reason", "Degraded turns, by reason.", "degraded_reason"),
    ("chatloop_anomalies", "Broken anomaly rules.", "anomaly_reason"),
)


class TurnCollector(Collector):
    """Shows the totals of `metrics` as of its last `refresh`; registers like any collector."""

    def __init__(self, metrics: LogMetrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield one metric family after the other."""
        totals = self._metrics.totals()
        for name, text, dimension in _BY_LABEL:
            yield _labelled(name, text, dimension, totals.counts[dimension])
        for name, text, field in _SUMS:
            yield CounterMetricFamily(name, text, value=getattr(totals, field))
        for name, text, dimension in _BY_REASON:
            yield _labelled(name, text, "reason", totals.counts[dimension])
        yield _pii(totals)
        yield _latency(totals)
        skipped = self._metrics.skipped()
        yield _labelled("chatloop_log_lines_skipped", "Log lines not counted.", "reason", skipped)


def exposition(metrics: LogMetrics) -> bytes:
    """The totals as a page in the text format (UTF-8)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(TurnCollector(metrics))
    return generate_latest(registry)


def _labelled(name: str, text: str, label: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in _capped(counts).items():
        family.add_metric([value], count)
    return family


def _capped(counts: dict[str, int]) -> dict[str, int]:
    """The first values ever seen, the rest summed as `other`; so no counter ever falls."""
    capped = dict(islice(counts.items(), MAX_LABEL_VALUES))
    rest = sum(islice(counts.values(), MAX_LABEL_VALUES, None))
    if rest:
        capped[OTHER] = capped.get(OTHER, 0) + rest
    return capped


def _pii(totals: Aggregate) -> Metric:
    text = "Turns in which this kind of personal data was found."
    family = CounterMetricFamily("chatloop_pii", text, labels=["where", "kind"])
    for where in ("prompt", "answer"):
        for kind, count in _capped(totals.counts[f"pii_{where}"]).items():
            family.add_metric([where, kind], count)
    return family


def _latency(totals: Aggregate) -> Metric:
    buckets, below = [], 0
    for index, bound_ms in enumerate(LATENCY_BOUNDS_MS):
        below += totals.latency_buckets.get(index, 0)
        buckets.append((f"{bound_ms / 1000:.6g}", float(below)))
    buckets.append(("+Inf", float(totals.turns)))
    family = HistogramMetricFamily(
        "chatloop_turn_latency_seconds", "From receipt to the last word of the reply."
    )
    family.add_metric([], buckets, sum_value=totals.latency_us / 1e6)
    return family
