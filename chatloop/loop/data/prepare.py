"""The stage: demo seeds or a person's files in, `data/intents.csv` out, with nothing lost.

A file that a person changed is never overwritten without `force`, which keeps a copy. Everything
is read and judged before anything is written.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chatloop.core.errors import DataError
from chatloop.core.types import OOS
from chatloop.loop.data import content
from chatloop.loop.data.clean import Report, clean
from chatloop.loop.data.content import ANSWERS, GOLDEN, KNOWLEDGE, Plan, replace_file
from chatloop.loop.data.generate import generate
from chatloop.loop.data.golden import draw_golden
from chatloop.loop.data.import_report import as_markdown, conflict_lines, findings, printed
from chatloop.loop.data.out_of_scope import lend_out_of_scope
from chatloop.loop.data.rows import FILE, Row, to_csv
from chatloop.loop.data.seed import load_seeds
from chatloop.loop.data.sources import USUAL, Columns, read_source
from chatloop.loop.data.tables import Say

MARK = ".intents.json"
REPORT, SET_ASIDE, LABELS = "import_report.md", "set_aside.csv", "labels.csv"


@dataclass(frozen=True, slots=True)
class Own:
    """A person's files: labelled messages, and if they like answers and a folder of help pages."""

    source: Path
    columns: Columns = USUAL
    answers: Path | None = None
    knowledge: Path | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was written: the rows, and how many were set aside for carrying two labels."""

    path: Path
    rows: list[Row]
    conflicts: int


def prepare(
    data_dir: Path,
    *,
    seed: int,
    source: Path | Own | None = None,
    force: bool = False,
    strict: bool = False,
    say: Say,
) -> Prepared:
    """Write `intents.csv` and what belongs to it, and return what is in it.

    Raises DataError, leaving everything as it was, when a source cannot be used, when `strict`
    and a text carries two labels, or when existing data would be lost without `force`.
    """
    own = Own(source) if isinstance(source, Path) else source
    say(f"reading {own.source if own else 'the shipped demo seeds'} ...")
    rows, report = _import(own, seed, say) if own else (generate(load_seeds(), seed), Report())
    if strict and report.conflicts:
        raise DataError(f"{own and own.source}: {conflict_lines(report)[0]} (and --strict is on)")
    path, data = data_dir / FILE, to_csv(rows)
    plan = _plan(data_dir, rows, report, own, force=force, say=say)
    _protect(path, data, own, force=force, say=say)
    data_dir.mkdir(parents=True, exist_ok=True)
    (content.set_demo_aside if own else content.bring_demo_back)(data_dir, say)
    content.write(plan, say)
    replace_file(path, data)
    mark = {"sha256": _digest(data), "source": "import" if own else "demo", "seed": seed}
    if drawn := plan.files.get(data_dir / GOLDEN):
        mark["golden"] = _digest(drawn)
        say(f"drew golden phrases from calibrate and test into {data_dir / GOLDEN}; check them")
    replace_file(data_dir / MARK, json.dumps(mark).encode())
    lines = (*printed(findings(report, rows)), *summary_table(rows), *_missing(data_dir, rows))
    for line in lines:
        say(line)
    return Prepared(path, rows, len(report.conflicts))


def _import(own: Own, seed: int, say: Say) -> tuple[list[Row], Report]:
    rows, report = clean(read_source(own.source, own.columns, say=say), seed)
    if len({r.intent for r in rows if r.in_scope}) < 2:
        raise DataError(f"{own.source}: fewer than two intents are left after cleaning")
    return rows + lend_out_of_scope(rows, load_seeds(), seed), report


def _plan(
    data_dir: Path, rows: list[Row], report: Report, own: Own | None, *, force: bool, say: Say
) -> Plan:
    """Judge everything that will be written beside the rows; raises DataError."""
    content.answers_in(data_dir)
    if own is None:
        return Plan({data_dir / name: b"" for name in (REPORT, SET_ASIDE, LABELS)})
    intents = {r.intent for r in rows if r.in_scope}
    brought, pages = content.read_brought(own.answers, own.knowledge, say)
    plan = content.plan_content(data_dir, intents, brought=brought, pages=pages, force=force)
    for line in content.strangers(brought, intents):
        say(line)
    found = as_markdown(own.source.name, findings(report, rows), summary_table(rows))
    plan.files[data_dir / REPORT] = found
    plan.files[data_dir / SET_ASIDE] = _table(("row", "text", "intent"), report.set_aside)
    plan.files[data_dir / LABELS] = _labels(report)
    if _may_draw(data_dir):
        plan.files[data_dir / GOLDEN] = draw_golden(rows)
    return plan


def _may_draw(data_dir: Path) -> bool:
    """Whether the golden phrases are nobody's: absent, the demo's, or drawn and left as drawn."""
    path = data_dir / GOLDEN
    if not content.is_own(data_dir) or not path.exists():
        return True
    return _mark(data_dir).get("golden") == _digest(path.read_bytes())


def _labels(report: Report) -> bytes:
    """Return which label stands for which name; nothing when no name was changed."""
    names = {i: name for i, name in sorted(report.names.items()) if i != OOS}
    changed = any(intent != name for intent, name in names.items())
    return _table(("intent", "label_in_file"), names.items()) if changed else b""


def _table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> bytes:
    """Return CSV bytes; nothing when there are no rows."""
    lines = [header, *rows]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue().encode("utf-8") if len(lines) > 1 else b""


def _protect(path: Path, data: bytes, own: Own | None, *, force: bool, say: Say) -> None:
    """Refuse to lose a person's work; with `force` keep a copy of it."""
    if not path.exists() or path.read_bytes() == data:
        return
    mark = _mark(path.parent)
    changed = mark.get("sha256") != _digest(path.read_bytes())
    import_lost = mark.get("source") == "import" and own is None
    if not changed and not import_lost:
        return
    if not force:
        why = "was changed by hand" if changed else "holds imported data"
        raise DataError(
            f"{path} {why}: nothing was written; use --force to replace it (a copy stays)"
        )
    copy = path.with_name(f"{path.stem}.{time.strftime('%Y%m%dT%H%M%S')}.bak.csv")
    shutil.copy2(path, copy)
    say(f"kept a copy of the earlier file: {copy}")


def _mark(data_dir: Path) -> dict[str, str]:
    try:
        return dict(json.loads((data_dir / MARK).read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def summary_table(rows: list[Row]) -> list[str]:
    """Return one line an intent: rows a part, and a total."""
    cells = Counter((r.intent, r.split) for r in rows)
    intents = sorted({r.intent for r in rows}, key=lambda i: (i == OOS, i))
    parts = ("fit", "calibrate", "test")
    lines = ["", f"{'intent':<28}{'fit':>7}{'calibrate':>11}{'test':>7}{'all':>8}"]
    for intent in intents:
        a, b, c = (cells[intent, part] for part in parts)
        lines.append(f"{intent:<28}{a:>7}{b:>11}{c:>7}{a + b + c:>8}")
    a, b, c = (sum(1 for r in rows if r.split == part) for part in parts)
    total = f"{len(intents)} labels"
    return [*lines, f"{total:<28}{a:>7}{b:>11}{c:>7}{len(rows):>8}", ""]


def _missing(data_dir: Path, rows: list[Row]) -> list[str]:
    """Say what is still missing before this data can answer people."""
    lines = []
    answers = content.answers_in(data_dir)
    intents = {r.intent for r in rows if r.in_scope}
    empty = sum(1 for i in intents if i not in answers or not answers[i].answer)
    if empty:
        lines.append(f"missing: {empty} of {len(intents)} approved answers in {data_dir / ANSWERS}")
    if not any((data_dir / KNOWLEDGE).glob("*.md")):
        lines.append(f"missing: help pages (Markdown) in {data_dir / KNOWLEDGE}")
    if not (data_dir / GOLDEN).exists():
        lines.append(f"missing: phrases that must never break in {data_dir / GOLDEN}")
    return [*lines, *_about_out_of_scope(rows), "next: `python train_model.py`"]


def _about_out_of_scope(rows: list[Row]) -> list[str]:
    sources = [row.source for row in rows if row.intent == OOS]
    if not sources:
        return ["missing: out-of-scope rows (label `oos`); the bot will be too sure"]
    if any(row.source == "import" for row in rows) and "import" not in sources:
        return [
            f"missing: out-of-scope rows (label `oos`) of your own; {len(sources)} shipped ones in "
            "English (source `seed:...`) stand in until you write some"
        ]
    return []


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
