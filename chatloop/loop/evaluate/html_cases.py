"""The parts of the report that show messages: slices, confusions, worst mistakes, changes."""

from __future__ import annotations

from collections.abc import Sequence

from chatloop.loop.evaluate import html_page as page
from chatloop.loop.evaluate.html_page import interval, label, percent, quote, text
from chatloop.loop.evaluate.metrics import Share
from chatloop.loop.evaluate.mistakes import Changed, Changes, Confusion, Mistake
from chatloop.loop.evaluate.plots import bar
from chatloop.loop.evaluate.slices import NamePairs, Outcome, Slice, Slices

_MOST_CONFUSIONS, _MOST_MISTAKES, _MOST_CHANGES = 12, 12, 12


def slices_section(slices: Slices) -> str:
    """Return the bias check: slices against all rows, and what another name changes."""
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


def confusions_section(found: Sequence[Confusion]) -> str:
    """Return the most frequent confusions with example texts."""
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


def mistakes_section(found: Sequence[Mistake], threshold: float) -> str:
    """Return the surest mistakes, those above the threshold marked."""
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


def changes_section(changes: Changes | None) -> str:
    """Return the texts won and lost against the release before."""
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
