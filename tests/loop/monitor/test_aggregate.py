"""Aggregates add up exactly, and their quantiles are close."""

from __future__ import annotations

import json
import random

import pytest

from chatloop.core.errors import DataError
from chatloop.loop.monitor.aggregate import LATENCY_BOUNDS_MS, Aggregate

from .records import random_record, record


def of(records) -> Aggregate:
    aggregate = Aggregate()
    for one in records:
        aggregate.add(one)
    return aggregate


@pytest.fixture
def rng():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


def test_parts_merged_in_any_order_equal_the_whole(rng):
    records = [random_record(rng) for _ in range(500)]
    parts = [of(records[start::7]) for start in range(7)]
    rng.shuffle(parts)
    merged = Aggregate()
    for part in parts:
        merged.merge(part)
    assert merged == of(records)
    assert merged.latency_us == sum(round(r.latency_ms * 1000) for r in records)


def test_a_round_trip_over_json_is_exact(rng):
    aggregate = of(random_record(rng) for _ in range(200))
    assert Aggregate.from_dict(json.loads(json.dumps(aggregate.to_dict()))) == aggregate


def test_what_is_no_aggregate_is_refused():
    with pytest.raises(DataError, match="not an aggregate"):
        Aggregate.from_dict({"turns": "many"})


def test_every_turn_counts_once_in_each_single_valued_dimension():
    counts = of([record(), record(intent=None, arm=None), record(intent="oos")]).counts
    assert counts["intent"] == {"refund": 1, "none": 1, "oos": 1}
    assert sum(counts["arm"].values()) == 3


def test_kinds_and_reasons_count_once_a_turn():
    counts = of(
        [
            record(pii_prompt=("email", "email", "phone"), anomaly_reason=("a", "b")),
            record(pii_answer=("email",), degraded_reason="llm_timeout"),
        ]
    ).counts
    assert counts["pii_prompt"] == {"email": 1, "phone": 1}
    assert counts["pii_answer"] == {"email": 1}
    assert counts["anomaly_reason"] == {"a": 1, "b": 1}
    assert counts["degraded_reason"] == {"llm_timeout": 1}


def test_shares_are_of_turns():
    summary = of(
        [
            record(degraded=True, chosen_model="fallback"),
            record(anomaly=True, chosen_model="llm/x"),
            record(error="ValueError"),
            record(pii_prompt=("email",)),
        ]
    ).summary()
    shares = {name: value for name, value in summary.items() if name.startswith("share")}
    assert shares == {
        "share_local": 0.5,
        "share_degraded": 0.25,
        "share_anomaly": 0.25,
        "share_error": 0.25,
        "share_pii": 0.25,
    }
    json.dumps(summary)


def test_without_turns_there_are_no_shares_and_no_latencies():
    summary = Aggregate().summary()
    assert summary["share_local"] is None
    assert summary["latency_ms"] == {"mean": None, "p50": None, "p95": None, "p99": None}
    assert summary["confidence"]["mean"] is None


def test_buckets_run_from_a_tenth_of_a_millisecond_to_two_minutes():
    assert LATENCY_BOUNDS_MS[0] == 0.1
    assert LATENCY_BOUNDS_MS[-1] == 120_000
    assert list(LATENCY_BOUNDS_MS) == sorted(set(LATENCY_BOUNDS_MS))


def test_quantiles_are_within_a_bucket_of_the_true_ones(rng):
    latencies = sorted(10 ** rng.uniform(0, 4.5) for _ in range(2000))
    aggregate = of(record(latency_ms=one) for one in latencies)
    for share in (0.5, 0.95, 0.99):
        true = latencies[int(share * len(latencies)) - 1]
        found = aggregate.latency_quantile_ms(share)
        assert true / 1.26 <= found <= true * 1.26


@pytest.mark.parametrize(("latency_ms", "bucket"), [(-1, 0), (0.1, 0), (0.11, 1), (9e9, 62)])
def test_every_latency_has_a_bucket(latency_ms, bucket):
    aggregate = of([record(latency_ms=latency_ms)])
    assert aggregate.latency_buckets == {bucket: 1}
    assert aggregate.latency_quantile_ms(1.0) <= 120_000


def test_confidence_histogram_has_ten_bins():
    aggregate = of(record(confidence=c) for c in (0.0, 0.05, 0.5, 0.99, 1.0))
    assert aggregate.summary()["confidence"]["histogram"] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert aggregate.mean_confidence == pytest.approx(0.508)
