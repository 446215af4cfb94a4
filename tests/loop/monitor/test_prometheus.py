"""The text page says what the log says, with a bounded number of labels."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from chatloop.loop.monitor.metrics import LogMetrics
from chatloop.loop.monitor.prometheus import MAX_LABEL_VALUES, exposition

from .records import line, record


def samples(folder, records) -> dict[tuple[str, tuple[str, ...]], float]:
    log = folder / "chat.log"
    log.write_bytes(b"".join(line(one) + b"\n" for one in records))
    metrics = LogMetrics(log, folder / "state.json")
    metrics.refresh()
    families = text_string_to_metric_families(exposition(metrics).decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_counters_equal_the_log(tmp_path):
    found = samples(
        tmp_path,
        [
            record(),
            record(chosen_model="llm/tiny", degraded=True, degraded_reason="llm_timeout"),
            record(pii_prompt=("email",), pii_answer=("phone",), anomaly_reason=("long_prompt",)),
            record(error="ValueError", status="error"),
        ],
    )
    assert found["chatloop_turns_total", ("local",)] == 3
    assert found["chatloop_turns_total", ("llm/tiny",)] == 1
    assert found["chatloop_turns_by_intent_total", ("refund",)] == 4
    assert found["chatloop_turns_by_status_total", ("error",)] == 1
    assert found["chatloop_degraded_total", ()] == 1
    assert found["chatloop_degraded_by_reason_total", ("llm_timeout",)] == 1
    assert found["chatloop_anomalies_total", ("long_prompt",)] == 1
    assert found["chatloop_pii_total", ("email", "prompt")] == 1
    assert found["chatloop_pii_total", ("phone", "answer")] == 1
    assert found["chatloop_turn_errors_total", ()] == 1
    assert found["chatloop_log_lines_skipped_total", ("unreadable",)] == 0


def test_latencies_are_a_cumulative_histogram_in_seconds(tmp_path):
    found = samples(tmp_path, [record(latency_ms=ms) for ms in (1, 500, 700_000)])
    name = "chatloop_turn_latency_seconds"
    assert found[f"{name}_bucket", ("0.001",)] == 1
    assert found[f"{name}_bucket", ("0.501",)] == 2
    assert found[f"{name}_bucket", ("120",)] == 2
    assert found[f"{name}_bucket", ("+Inf",)] == found[f"{name}_count", ()] == 3
    assert found[f"{name}_sum", ()] == 700.501
    buckets = [value for (sample, _), value in found.items() if sample == f"{name}_bucket"]
    assert buckets == sorted(buckets)


def test_w6_label_values_are_bounded_and_nothing_is_lost(tmp_path):
    found = samples(tmp_path, [record(intent=f"intent_{n}") for n in range(700)])
    intents = {k: v for k, v in found.items() if k[0] == "chatloop_turns_by_intent_total"}
    assert len(intents) == MAX_LABEL_VALUES + 1
    assert intents["chatloop_turns_by_intent_total", ("other",)] == 500
    assert len(found) <= 500
