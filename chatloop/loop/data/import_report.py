"""Says what an import found: a few lines on the terminal, all of it in `import_report.md`.

Everything by row number and label; of the texts themselves nothing is shown, for they may hold
more than the guard knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from chatloop.core.types import OOS
from chatloop.loop.data.clean import Report
from chatloop.loop.data.golden import TINY
from chatloop.loop.data.labels import similar_labels
from chatloop.loop.data.rows import Row

_SHOWN = 20
_LISTED = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know: `line` for the terminal, `details` for the file."""

    title: str
    line: str
    details: tuple[str, ...] = ()


def findings(report: Report, rows: Iterable[Row]) -> list[Finding]:
    """Return what was found, losses first; nothing when nothing was imported."""
    if not report.read:
        return []
    found = (
        _losses(report),
        _personal(report),
        _conflicts(report),
        _crossing(report),
        _tiny(report, rows),
        _similar(report),
        _renamed(report),
    )
    return [finding for finding in found if finding]


def printed(found: Iterable[Finding]) -> list[str]:
    """Return the short form: a line each, and the first of the conflicts."""
    lines = []
    for finding in found:
        lines.append(finding.line)
        if finding.title == _CONFLICTS:
            lines += finding.details[:_SHOWN]
            more = len(finding.details) - _SHOWN
            lines += [f"... and {more} more"] if more > 0 else []
    return lines


def as_markdown(name: str, found: Iterable[Finding], table: Iterable[str]) -> bytes:
    """Return the whole report on the file called `name`; `table`: rows a label and part."""
    lines = [f"# Import of {name}", "", "Row numbers are lines of that file.", ""]
    for finding in found:
        lines += [f"## {finding.title}", "", finding.line, ""]
        lines += [f"- {detail}" for detail in finding.details[:_LISTED]]
        more = len(finding.details) - _LISTED
        lines += [f"- ... and {more} more"] if more > 0 else []
        lines += [""] if finding.details else []
    lines += ["## Rows a label", "", "```text", *(line for line in table if line), "```", ""]
    return "\n".join(lines).encode("utf-8")


_CONFLICTS = "One text, two labels"


def conflict_lines(report: Report) -> list[str]:
    """Return a line a text that carries two labels, with their rows."""
    return [
        "one text, two labels: "
        + "; ".join(f"`{label}` in row {rows[0]}" for label, rows in labels.items())
        for labels in report.conflicts.values()
    ]


def _losses(report: Report) -> Finding:
    line = (
        f"read {report.read} rows, kept {report.kept}: {len(report.empty)} empty, "
        f"{report.duplicates} exact duplicates, {report.thinned} near-duplicates in calibrate or "
        f"test, {len(report.conflicts)} texts with two labels set aside "
        f"({len(report.set_aside)} rows)"
    )
    reasons = {
        "empty": report.empty,
        "exact duplicates": report.duplicate_rows,
        "near-duplicates in calibrate or test": report.thinned_rows,
        "one text, two labels": [number for number, _, _ in report.set_aside],
    }
    return Finding("Rows read and lost", line, _by_row(reasons))


def _personal(report: Report) -> Finding | None:
    if not report.redacted_rows:
        return None
    kinds = dict(sorted(report.redacted_rows.items()))
    counts = ", ".join(f"{kind}: {len(numbers)} rows" for kind, numbers in kinds.items())
    return Finding("Personal data", f"personal data taken out: {counts}", _by_row(kinds))


def _conflicts(report: Report) -> Finding | None:
    if not report.conflicts:
        return None
    line = (
        f"{len(report.conflicts)} texts carry two labels: their {len(report.set_aside)} rows are "
        "in data/set_aside.csv; decide, and import again"
    )
    return Finding(_CONFLICTS, line, tuple(conflict_lines(report)))


def _crossing(report: Report) -> Finding | None:
    if not report.crossing:
        return None
    line = (
        f"{len(report.crossing)} rows are near-duplicates of a row in another part of your split: "
        "figures on calibrate and test look better than they are"
    )
    details = tuple(f"row {first} and row {second}" for first, second in report.crossing)
    return Finding("Near-duplicates across parts", line, details)


def _tiny(report: Report, rows: Iterable[Row]) -> Finding | None:
    sizes = Counter(row.intent for row in rows)
    tiny = sorted((sizes[i], i) for i in report.names if sizes[i] < TINY and i != OOS)
    if not tiny:
        return None
    named = [f"`{intent}` {size}" for size, intent in tiny]
    line = f"{len(tiny)} intents have fewer than {TINY} rows: {_some(named)}"
    return Finding("Tiny intents", line, tuple(named))


def _similar(report: Report) -> Finding | None:
    pairs = [f"`{a}` and `{b}`" for a, b in similar_labels(report.names)]
    if not pairs:
        return None
    line = f"{len(pairs)} pairs of labels look alike, are they one? {_some(pairs)}"
    return Finding("Labels that look alike", line, tuple(pairs))


def _renamed(report: Report) -> Finding | None:
    changed = [f"`{n}` is `{i}`" for i, n in report.names.items() if i not in (n, OOS)]
    if not changed:
        return None
    line = f"{len(changed)} labels were brought into the form `reset_password`: data/labels.csv"
    return Finding("Labels", line, tuple(changed))


def _by_row(reasons: dict[str, list[int]]) -> tuple[str, ...]:
    return tuple(f"{why}: rows {_numbers(rows)}" for why, rows in reasons.items() if rows)


def _numbers(rows: list[int]) -> str:
    more = len(rows) - _LISTED
    return ", ".join(map(str, rows[:_LISTED])) + (f" ... and {more} more" if more > 0 else "")


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
