from __future__ import annotations

import numpy as np
import pytest

from chatloop.core.types import OOS, Intent
from chatloop.loop.data.rows import Row
from chatloop.loop.evaluate.certificate import Terms, make_certificate
from chatloop.loop.evaluate.certify import certify

TERMS = Terms(target_error=0.05, delta=0.1, min_oos_share=0.2)


def rows(inside: int, outside: int, source: str = "seed:x") -> list[Row]:
    return [
        *(Row(f"aa {n}", "aa", source, f"a{n}", "calibrate") for n in range(inside)),
        *(Row(f"oos {n}", OOS, source, f"o{n}", "calibrate") for n in range(outside)),
    ]


def perfect(texts) -> list[Intent]:
    known = [text.startswith("aa") for text in texts]
    return [Intent("aa", 0.99 if inside else 0.01, in_scope=inside) for inside in known]


@pytest.mark.parametrize(("target", "delta"), [(0.0, 0.1), (1.0, 0.1), (0.05, 0.0), (0.05, 1.0)])
def test_terms_that_no_test_can_meet_give_no_certificate(target, delta):
    """The settings allow 0 and 1; a training must not end in a division by zero."""
    found = certify(np.linspace(0, 1, 200), np.ones(200, bool), target_error=target, delta=delta)
    assert found.threshold is None


def test_without_enough_rows_the_provisional_threshold_is_in_force():
    found = make_certificate(rows(5, 2), perfect, TERMS, seed=7)
    assert (found["state"], found["certified"]) == ("not_enough_data", False)
    assert found["threshold"] == found["provisional"]["threshold"] == 0.6
    assert found["words"].startswith("not enough data yet")
    assert found["bound"] is None


def test_imported_rows_are_named_as_such():
    found = make_certificate(rows(300, 100, source="import"), perfect, TERMS, seed=7)
    assert (found["basis"], found["certified"]) == ("imported", True)
    assert "on the imported examples" in found["words"]


def test_no_rows_give_a_certificate_that_lets_nothing_pass():
    assert make_certificate([], perfect, TERMS, seed=7)["threshold"] > 1.0
