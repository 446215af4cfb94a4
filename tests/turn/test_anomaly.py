from __future__ import annotations

import time

import pytest

from chatloop.turn.anomaly import AnomalyRules
from tests.conftest import read_cases

RULES = AnomalyRules(long_prompt_chars=800, low_confidence=0.35)
CASES = read_cases("anomalies.jsonl")


@pytest.mark.parametrize("case", CASES, ids=[case["text"][:40] or "empty" for case in CASES])
def test_each_case_of_the_table_breaks_the_rules_it_names(case):
    assert list(RULES.check(case["text"], case["confidence"])) == case["reasons"]


@pytest.mark.parametrize("shape", ["<", "< ", "{{", "{{ }", "../", "ignore ", "union ", "<|a"])
def test_time_grows_with_the_length_only(shape):
    def seconds(length: int) -> float:
        text = (shape * length)[:length]
        best = 9.0
        for _ in range(3):
            begun = time.perf_counter()
            RULES.check(text, 1.0)
            best = min(best, time.perf_counter() - begun)
        return best

    assert seconds(20_000) < 60 * max(seconds(2_000), 0.002)
