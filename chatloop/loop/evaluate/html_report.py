"""The report of a release as one HTML page that a person likes to read: `report.html`.

Only words and pictures are made here; every figure comes in measured. Sentences say how to read
a figure, since a number that is misread does more harm than none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chatloop.core.types import OOS, Intent
from chatloop.loop.data.rows import Row
from chatloop.loop.evaluate import html_page as page
from chatloop.loop.evaluate.certify import accepted_scores
from chatloop.loop.evaluate.html_cases import (
    changes_section,
    confusions_section,
    mistakes_section,
    slices_section,
)
from chatloop.loop.evaluate.html_page import interval, label, percent, text
from chatloop.loop.evaluate.metrics import Evaluation, Share, wilson
from chatloop.loop.evaluate.mistakes import Changes, confusions, sure_mistakes
from chatloop.loop.evaluate.plots import Bin, Point, bar, reliability_diagram, risk_coverage
from chatloop.loop.evaluate.slices import Slices

MIN_TEST_ROWS = 4
"""Below this an intent counts as untested."""

_BINS = 10
_FIRST_POINT = 10  # a share of fewer rows jumps about
_MOST_INTENTS = 150


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured. `intents`: what the model says to `rows`, the test rows."""

    evaluation: Evaluation
    rows: Sequence[Row]
    intents: Sequence[Intent]
    certificate: Mapping[str, Any]
    slices: Slices
    changes: Changes | None = None


def html_report(metadata: Mapping[str, Any], measured: Measured) -> str:
    """Return the page, self-contained, at most a few hundred kilobytes."""
    evaluation = measured.evaluation
    title, made = f"Release {metadata['version']}", metadata["created_at"]
    parts = [
        f'<header><h1>{text(title)}</h1><p class="soft">Made {text(made)}. '
        f"Measured on {len(measured.rows)} test rows that training never saw, one a family.</p>"
        f"{_tiles(evaluation)}</header>",
        _promise(measured.certificate),
        _curves(measured),
        _recall(evaluation.recall),
        slices_section(measured.slices),
        confusions_section(confusions(measured.rows, evaluation.predicted)),
        mistakes_section(
            sure_mistakes(measured.rows, measured.intents), measured.certificate["threshold"]
        ),
        changes_section(measured.changes),
        _making(metadata),
        "<footer>Intervals are 95 % Wilson intervals; the one of macro F1 is a bootstrap over "
        "rows. This page asks no other machine for anything and runs no script.</footer>",
    ]
    return page.shell(title, "".join(parts))


def _tiles(evaluation: Evaluation) -> str:
    shown = [
        ("Accuracy", evaluation.accuracy),
        ("In scope", evaluation.accuracy_in_scope),
        ("Out of scope found", evaluation.oos_recall),
        ("Macro F1", evaluation.macro_f1),
    ]
    tiles = [_tile(name, percent(share.value), interval(share)) for name, share in shown]
    error = percent(evaluation.ece)
    tiles.append(_tile("Calibration error", error, "<small>ECE; 0 is perfect</small>"))
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _tile(name: str, value: str, note: str) -> str:
    return f'<div class="tile"><small>{name}</small><b>{value}</b>{note}</div>'


def _promise(certificate: Mapping[str, Any]) -> str:
    words = str(certificate["words"])
    facts = [
        ("Answers alone from", _threshold(certificate["threshold"])),
        ("Tested on", f"{certificate['n']} calibration rows, one a family ({_mix(certificate)})"),
        ("Largest share wrong allowed", f"{100 * certificate['target_error']:g} %"),
        ("Confidence of the test", f"{100 * (1 - certificate['delta']):g} %"),
    ]
    if certificate["certified"]:
        accepted, wrong = certificate["accepted"], certificate["wrong"]
        facts += [
            ("Answered there", f"{accepted} ({percent(certificate['answered_share'])})"),
            ("Wrong of those", f"{wrong} ({percent(wrong / accepted)})"),
            ("Upper bound of the error", percent(certificate["bound"])),
        ]
    else:
        found = certificate["provisional"]
        facts.append(("Provisional: wrong of answered", f"{found['wrong']} of {found['answered']}"))
    mark = page.chip("certified", "good") if certificate["certified"] else page.chip("no promise")
    return page.section(
        "What is promised",
        "When the bot may answer alone, and how sure that is.",
        f'<div class="promise"><p>{text(words[:1].upper() + words[1:])}.</p>{mark}'
        f"{_facts(facts)}</div>",
    )


def _threshold(threshold: float) -> str:
    return f"confidence {threshold:.3f}" if threshold <= 1 else "never: it always asks"


def _mix(certificate: Mapping[str, Any]) -> str:
    mix = certificate["mix"]
    return f"{mix['in_scope']} in scope, {mix['out_of_scope']} out of scope"


def _facts(facts: Sequence[tuple[str, object]]) -> str:
    rows = "".join(f"<div><dt>{name}</dt><dd>{text(value)}</dd></div>" for name, value in facts)
    return f"<dl>{rows}</dl>"


def _curves(measured: Measured) -> str:
    if not measured.rows:
        return page.section("How far its confidence can be trusted", "There are no test rows.")
    certificate = measured.certificate
    curve, here = _risk_curve(measured)
    tested = None
    if certificate["certified"]:
        risk = certificate["wrong"] / certificate["accepted"]
        tested = Point(certificate["answered_share"], risk, certificate["bound"])
    risk_plot = risk_coverage(curve, target=certificate["target_error"], here=here, tested=tested)
    return page.section(
        "How far its confidence can be trusted",
        "Two looks at the same test rows: how much can be answered alone at which price, and "
        "whether the stated confidence is true.",
        f'<div class="two"><div><h3>Answered alone, and wrong</h3>{risk_plot}'
        f"{_at_threshold(here, certificate)}</div>"
        f"<div><h3>Stated and true confidence</h3>{reliability_diagram(_bins(measured))}"
        "<p><small>On the dashed line the bot keeps its word: of what it is 80 % sure, 80 % is "
        "right. Above it, it is too modest; below it, too sure. A larger dot has more rows, the "
        "line through it is its interval. Rows taken for out of scope are not in this plot: they "
        "are never answered alone.</small></p></div></div>",
    )


def _at_threshold(here: Point | None, certificate: Mapping[str, Any]) -> str:
    words = "Nothing is answered alone at this threshold. "
    if here:
        words = (
            f"Filled dot: the threshold on these rows, {percent(here.coverage)} answered, "
            f"{percent(here.risk)} of those wrong. "
        )
    if certificate["certified"]:
        words += (
            "Ring: the calibration rows of the certificate, which hold another share of "
            "out-of-scope messages; the line above it ends at its bound."
        )
    return f"<p><small>{words}</small></p>"


def _risk_curve(measured: Measured) -> tuple[list[Point], Point | None]:
    """Return the curve over all thresholds, and its point at the one in force."""
    truth = [row.intent for row in measured.rows]
    scores, right = accepted_scores(measured.intents, truth)
    order = np.argsort(-scores, kind="stable")
    ranked, wrong = scores[order], np.cumsum(~right[order])
    n, threshold = len(ranked), measured.certificate["threshold"]
    last_of_tie = np.append(ranked[:-1] > ranked[1:], True)
    ends = [k for k in range(n) if last_of_tie[k] and ranked[k] >= 0]
    points = {k + 1: Point((k + 1) / n, float(wrong[k]) / (k + 1)) for k in ends}
    here = points.get(int((ranked >= threshold).sum()))
    return [point for k, point in points.items() if k >= _FIRST_POINT], here


def _bins(measured: Measured) -> list[Bin]:
    """Group the rows that are taken for an intent: only their confidence decides anything."""
    scores, right = accepted_scores(measured.intents, [row.intent for row in measured.rows])
    scores, right = scores[scores >= 0], right[scores >= 0]
    places = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    return [
        Bin(
            float(scores[places == b].mean()),
            wilson(int(right[places == b].sum()), int((places == b).sum())),
        )
        for b in np.unique(places)
    ]


def _recall(recall: Mapping[str, Share]) -> str:
    tested = sorted(
        ((name, share) for name, share in recall.items() if share.n >= MIN_TEST_ROWS),
        key=lambda pair: (pair[1].value, pair[0]),
    )
    bars = [_recall_row(name, share) for name, share in tested[:_MOST_INTENTS]]
    untested = sorted(name for name, share in recall.items() if share.n < MIN_TEST_ROWS)
    notes = []
    if len(tested) > _MOST_INTENTS:
        notes.append(f"{len(tested) - _MOST_INTENTS} better intents are not shown.")
    if untested:
        names = ", ".join(label(name) for name in untested[:_MOST_INTENTS])
        notes.append(f"Untested, with fewer than {MIN_TEST_ROWS} test rows: {names}.")
    return page.section(
        "Recall by intent",
        "Of the messages with this intent, the share that is recognised; the weakest first. "
        "With few rows the interval is wide: two bars whose intervals overlap may be equal.",
        f'<div class="bars">{"".join(bars)}</div>',
        *(f'<p class="soft">{note}</p>' for note in notes),
    )


def _recall_row(name: str, share: Share) -> str:
    return (
        f'<div class="row"><span>{label(name)}</span>'
        f"<span>{percent(share.value)} {interval(share)}</span>{bar(share)}</div>"
    )


def _making(metadata: Mapping[str, Any]) -> str:
    rows, sources = metadata["rows"], metadata["sources"]
    facts = [
        ("Rows", f"{rows['fit']} to learn, {rows['calibrate']} to calibrate, {rows['test']} test"),
        ("Sources", ", ".join(f"{name} {count}" for name, count in sorted(sources.items()))),
        ("Intents", f"{metadata['intents']}, and out of scope ({OOS})"),
        ("Data fingerprint", metadata["data_fingerprint"]),
        ("Seed", metadata["seed"]),
        ("Recipe", ", ".join(f"{k} {v}" for k, v in metadata["recipe"].items())),
        ("Temperature", f"{metadata['temperature']:.3f}"),
        ("Training", f"{metadata['train_cpu_s']} CPU seconds"),
        ("Python", metadata["python"]),
        ("Libraries", ", ".join(f"{k} {v}" for k, v in metadata["libraries"].items())),
    ]
    return page.section(
        "How it was made", "With the same rows, enough to make it again.", _facts(facts)
    )
