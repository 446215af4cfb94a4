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
from chatloop.loop.evaluate.html_page import interval, label, percent, quote, text
from chatloop.loop.evaluate.metrics import Evaluation, Share, wilson
from chatloop.loop.evaluate.mistakes import (
    Changed,
    Changes,
    Confusion,
    Mistake,
    confusions,
    sure_mistakes,
)
from chatloop.loop.evaluate.plots import Bin, Point, bar, reliability_diagram, risk_coverage
from chatloop.loop.evaluate.slices import NamePairs, Outcome, Slice, Slices

MIN_TEST_ROWS = 4
"""Below this an intent counts as untested."""

_BINS = 10
_FIRST_POINT = 10  # a share of fewer rows jumps about
_MOST_INTENTS, _MOST_CONFUSIONS, _MOST_MISTAKES, _MOST_CHANGES = 150, 12, 12, 12


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured. `intents`: what the model says to `rows`, the test rows."""

    metadata: Mapping[str, Any]
    evaluation: Evaluation
    rows: Sequence[Row]
    intents: Sequence[Intent]
    certificate: Mapping[str, Any]
    slices: Slices
    changes: Changes | None = None


def html_report(measured: Measured) -> str:
    """Return the page, self-contained, at most a few hundred kilobytes."""
    metadata, evaluation = measured.metadata, measured.evaluation
    title = f"Release {metadata['version']}"
    parts = [
        f"<header><h1>{text(title)}</h1><p class=soft>Made {text(metadata['created_at'])}. "
        f"Measured on {len(measured.rows)} test rows that training never saw, one a family.</p>"
        f"{_tiles(evaluation)}</header>",
        _promise(measured.certificate),
        _curves(measured),
        _recall(evaluation.recall),
        _slices(measured.slices),
        _confusions(confusions(measured.rows, evaluation.predicted)),
        _mistakes(sure_mistakes(measured.rows, measured.intents), measured.certificate),
        _changes(measured.changes),
        _making(metadata),
        "<footer>Intervals are 95 % Wilson intervals; the one of macro F1 is a bootstrap over "
        "rows. This page asks no other machine for anything and runs no script.</footer>",
    ]
    return page.shell(title, "".join(parts))


def _tiles(evaluation: Evaluation) -> str:
    shown = [
        ("Accuracy", evaluation.accuracy),
        ("In scope", evaluation.accuracy_in_scope),
        ("Out of scope recognised", evaluation.oos_recall),
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
        "When the bot may answer alone, and how sure that is. "
        '<a href="/manual/explanation/learning/">How it is tested</a> is in the manual.',
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
        "line through it is its interval.</small></p></div></div>",
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
    last_of_tie = np.append(ranked[:-1] > ranked[1:], True)  # noqa: FBT003
    ends = [k for k in range(n) if last_of_tie[k] and ranked[k] >= 0]
    points = {k + 1: Point((k + 1) / n, float(wrong[k]) / (k + 1)) for k in ends}
    here = points.get(int((ranked >= threshold).sum()))
    return [point for k, point in points.items() if k >= _FIRST_POINT], here


def _bins(measured: Measured) -> list[Bin]:
    confidence = np.array([intent.confidence for intent in measured.intents])
    right = np.array(
        [i.label == r.intent for i, r in zip(measured.intents, measured.rows, strict=True)]
    )
    places = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return [
        Bin(
            float(confidence[places == b].mean()),
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


def _slices(slices: Slices) -> str:
    rows = "".join(_slice_row(part) for part in slices.slices)
    return page.section(
        "Is anybody served worse?",
        "In-scope test rows by the way they are written: how many are recognised, and how many "
        "the bot would answer alone. Compare each line with the first.",
        f'<div class="slices">{rows}</div>',
        _names(slices.names),
    )


def _slice_row(part: Slice) -> str:
    cells = "".join(
        f"<div>{name} {percent(share.value)} {interval(share)}{bar(share)}</div>"
        if share.n
        else f'<div class="soft">{name}: no rows</div>'
        for name, share in (("recognised", part.recall), ("answered", part.answered))
    )
    return (
        f'<div class="row"><div><b>{text(part.name)}</b><small>{text(part.meaning)}</small></div>'
        f"{cells}</div>"
    )


def _names(names: NamePairs) -> str:
    pairs, answered = names.prediction_changes, names.answered_changes
    said = (
        f"<p>The same sentence with another person's name: the prediction changes in "
        f"{percent(pairs.value)} of {pairs.n} pairs ({_range(pairs)}), whether the bot answers "
        f"alone in {percent(answered.value)} ({_range(answered)}). {names.frames_touched} of "
        f"{names.frames} sentences are touched. Pairs of one sentence hang together, so these "
        "intervals are a little too narrow.</p>"
    )
    shown = [f"{_outcome(a)}{_outcome(b)}" for a, b in names.examples]
    return f"<br><h3>Another name</h3>{said}{page.listing(shown, 'cards') if shown else ''}"


def _outcome(outcome: Outcome) -> str:
    what = "answered alone" if outcome.answered else "not answered alone"
    return f"{quote(outcome.text)}<small>{label(outcome.predicted)}, {what}</small>"


def _range(share: Share) -> str:
    return f"{100 * share.low:.1f} to {100 * share.high:.1f} %"


def _confusions(found: Sequence[Confusion]) -> str:
    shown = [
        f"<b>{label(c.truth)}</b> taken for <b>{label(c.predicted)}</b> "
        f"<small>{c.count} of {c.n} rows</small>{''.join(map(quote, c.examples))}"
        for c in found[:_MOST_CONFUSIONS]
    ]
    return page.section(
        "What it mixes up",
        f"The most frequent of {len(found)} kinds of confusion, with examples. Intents that "
        "people would mix up too may be better as one."
        if found
        else "Nothing: every test row came out right.",
        page.listing(shown, "cards"),
    )


def _mistakes(found: Sequence[Mistake], certificate: Mapping[str, Any]) -> str:
    threshold = certificate["threshold"]
    answered = sum(m.confidence >= threshold for m in found)
    shown = [_mistake(m, threshold) for m in found[:_MOST_MISTAKES]]
    return page.section(
        "Its worst mistakes",
        f"Wrong and sure of it, the surest first. {answered} of {len(found)} lie above the "
        "threshold: those would have been answered wrongly."
        if found
        else "None: no test row was taken for a wrong intent.",
        page.listing(shown, "cards"),
    )


def _mistake(mistake: Mistake, threshold: float) -> str:
    mark = page.chip("would be answered", "bad") if mistake.confidence >= threshold else ""
    return (
        f"{percent(mistake.confidence)} sure {mark}{quote(mistake.text)}"
        f"<small>is {label(mistake.truth)}, taken for {label(mistake.predicted)}</small>"
    )


def _changes(changes: Changes | None) -> str:
    if changes is None:
        return page.section(
            "What changed", "There was no current release to compare with when this one was made."
        )
    return page.section(
        "What changed",
        f"Against release {text(changes.version)} on the {changes.n} test rows whose intent both "
        f"know: {len(changes.gained)} gained, {len(changes.lost)} lost.",
        f'<div class="two">{_changed("Right now, wrong before", "good", changes.gained)}'
        f"{_changed('Wrong now, right before', 'bad', changes.lost)}</div>",
    )


def _changed(title: str, kind: str, rows: Sequence[Changed]) -> str:
    shown = [
        f"{quote(c.text)}<small>{label(c.before)} → {label(c.after)}</small>"
        for c in rows[:_MOST_CHANGES]
    ]
    rest = len(rows) - len(shown)
    more = f'<p class="soft">and {rest} more</p>' if rest else ""
    return f"<div><h3>{title} {page.chip(str(len(rows)), kind)}</h3>{_plain(shown)}{more}</div>"


def _plain(items: Sequence[str]) -> str:
    return page.listing(items, "plain") if items else '<p class="soft">none</p>'


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
    return page.section("How it was made", "Enough to make it again.", _facts(facts))
