"""The certificate of a release: the tested threshold, or why there is none, in numbers and words.

`certify.py` does the statistics; here the rows are chosen (one a family, enough of them out of
scope) and the result is worded. Only reviewed traffic may be worded as a promise about customers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from chatloop.core.ids import bucket
from chatloop.core.types import Intent
from chatloop.loop.data.rows import Row
from chatloop.loop.evaluate.certify import State, accepted_scores, certify
from chatloop.loop.evaluate.threshold import provisional_threshold


class Basis(StrEnum):
    """What kind of messages the promise was tested on."""

    SHIPPED_EXAMPLES = "shipped_examples"
    IMPORTED = "imported"
    REVIEWED_TRAFFIC = "reviewed_traffic"


_ON = {
    Basis.SHIPPED_EXAMPLES: "on the shipped examples",
    Basis.IMPORTED: "on the imported examples",
    Basis.REVIEWED_TRAFFIC: "on messages like the reviewed ones",
}
_EARN = "review live messages to earn a promise about customers"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is to be promised: at most `target_error` wrong, with confidence 1 - `delta`.

    `min_oos_share`: least share of out-of-scope rows that the test is made on.
    """

    target_error: float
    delta: float
    min_oos_share: float


def make_certificate(
    rows: Sequence[Row], score: Callable[[Sequence[str]], list[Intent]], terms: Terms, seed: int
) -> dict[str, Any]:
    """Test the promise on calibration `rows` and return the certificate, JSON-ready.

    Without a certified threshold the provisional one is in force, and `certified` is false.
    """
    chosen = with_out_of_scope(one_a_family(rows), terms.min_oos_share, seed)
    intents, truth = score([r.text for r in chosen]), [r.intent for r in chosen]
    scores, right = accepted_scores(intents, truth)
    found = certify(scores, right, target_error=terms.target_error, delta=terms.delta)
    provisional = provisional_threshold(intents, truth, terms.target_error)
    certified = found.threshold is not None
    basis = _basis(rows)
    return {
        "state": State.CERTIFIED if certified else State.NOT_ENOUGH_DATA,
        "certified": certified,
        "threshold": found.threshold if certified else provisional.threshold,
        "target_error": terms.target_error,
        "delta": terms.delta,
        "basis": basis,
        "n": len(chosen),
        "unit": "family",
        "mix": _mix(chosen),
        "accepted": found.accepted,
        "wrong": found.wrong,
        "bound": found.bound if certified else None,
        "answered_share": found.answered_share if certified else None,
        "provisional": asdict(provisional),
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "words": _words(basis, terms, len(chosen), certified=certified),
    }


def one_a_family(rows: Sequence[Row]) -> list[Row]:
    """Return the first row of each family: the independent cases."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.family, row)
    return list(first.values())


def with_out_of_scope(rows: Sequence[Row], min_share: float, seed: int) -> list[Row]:
    """Leave in-scope rows out, by hash, until at least `min_share` are out of scope.

    A promise tested on too few out-of-scope messages breaks when more of them come.
    """
    inside = [r for r in rows if r.in_scope]
    outside = [r for r in rows if not r.in_scope]
    if not outside or min_share <= 0:
        return list(rows)
    keep = int(len(outside) * (1 - min_share) / min_share)
    inside.sort(key=lambda r: bucket("certificate", str(seed), r.family))
    return inside[:keep] + outside


def _mix(rows: Sequence[Row]) -> dict[str, int]:
    outside = sum(not r.in_scope for r in rows)
    return {"in_scope": len(rows) - outside, "out_of_scope": outside}


def _basis(rows: Sequence[Row]) -> Basis:
    return Basis.IMPORTED if any(r.source == "import" for r in rows) else Basis.SHIPPED_EXAMPLES


def _words(basis: Basis, terms: Terms, n: int, *, certified: bool) -> str:
    if not certified:
        return f"not enough data yet for a promise (tested on {n} messages); {_EARN}"
    promise = (
        f"{_ON[basis]} (n = {n}): at most {100 * terms.target_error:g} % of what is answered "
        f"locally is wrong, with {100 * (1 - terms.delta):g} % confidence for this release"
    )
    return promise if basis is Basis.REVIEWED_TRAFFIC else f"{promise}; {_EARN}"
