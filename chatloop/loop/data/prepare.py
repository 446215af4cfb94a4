"""The stage: demo seeds or a person's file in, `data/intents.csv` out, with nothing lost.

A file that a person changed is never overwritten without `force`, which keeps a copy. An import
sets the demo's answers, pages and golden phrases aside, because they belong to other intents.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from chatloop.core.errors import DataError
from chatloop.core.types import OOS
from chatloop.loop.data.clean import Report, clean
from chatloop.loop.data.generate import generate
from chatloop.loop.data.knowledge import read_answers
from chatloop.loop.data.rows import FILE, Row, to_csv
from chatloop.loop.data.seed import load_seeds
from chatloop.loop.data.sources import read_source

Say = Callable[[str], None]
MARK = ".intents.json"
ANSWERS = "answers.yaml"
_DEMO_CONTENT = (ANSWERS, "golden.csv", "knowledge")
_SHOWN = 20


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
    source: Path | None = None,
    force: bool = False,
    strict: bool = False,
    say: Say,
) -> Prepared:
    """Write `intents.csv` and return what is in it.

    Raises DataError, leaving everything as it was, when the source cannot be used, when `strict`
    and a text carries two labels, or when existing data would be lost without `force`.
    """
    path = data_dir / FILE
    say(f"reading {source or 'the shipped demo seeds'} ...")
    rows, report = _import(source, seed) if source else (generate(load_seeds(), seed), Report())
    if strict and report.conflicts:
        raise DataError(f"{source}: {_conflict_lines(report)[0]} (and --strict is on)")
    data = to_csv(rows)
    _answers(data_dir)
    _protect(path, data, source, force=force, say=say)
    data_dir.mkdir(parents=True, exist_ok=True)
    (_set_demo_aside if source else _bring_demo_back)(data_dir, rows, say)
    _replace(path, data)
    mark = {"sha256": _digest(data), "source": "import" if source else "demo", "seed": seed}
    _replace(data_dir / MARK, json.dumps(mark).encode())
    for line in (*_import_lines(report), *summary_table(rows), *_missing_lines(data_dir, rows)):
        say(line)
    return Prepared(path, rows, len(report.conflicts))


def _import(source: Path, seed: int) -> tuple[list[Row], Report]:
    rows, report = clean(read_source(source), seed)
    if len({r.intent for r in rows if r.in_scope}) < 2:
        raise DataError(f"{source}: fewer than two intents are left after cleaning")
    return rows, report


def _protect(path: Path, data: bytes, source: Path | None, *, force: bool, say: Say) -> None:
    """Refuse to lose a person's work; with `force` keep a copy of it."""
    if not path.exists() or path.read_bytes() == data:
        return
    mark = _mark(path.parent)
    changed = mark.get("sha256") != _digest(path.read_bytes())
    import_lost = mark.get("source") == "import" and source is None
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


def _set_demo_aside(data_dir: Path, rows: list[Row], say: Say) -> None:
    """Move the demo's content to data/demo/ once, and lay out an empty entry an intent."""
    demo = data_dir / "demo"
    if not demo.exists():
        demo.mkdir(parents=True)
        for name in _DEMO_CONTENT:
            if (data_dir / name).exists():
                shutil.move(data_dir / name, demo / name)
        say(f"set the demo's answers, help pages and golden phrases aside in {demo}")
    known = _answers(data_dir)
    new = {r.intent for r in rows if r.in_scope} - set(known)
    if new:
        entries = {**known, **{intent: {"answer": ""} for intent in new}}
        body = yaml.safe_dump({"version": 1, "answers": entries}, allow_unicode=True)
        _replace(data_dir / ANSWERS, body.encode("utf-8"))


def _answers(data_dir: Path) -> dict[str, dict[str, str]]:
    """Read the approved answers as entries of their file; raises DataError when it is broken."""
    file = data_dir / ANSWERS
    answers = read_answers(file) if file.exists() else {}
    return {
        intent: {"answer": a.answer} | ({"page": a.page} if a.page else {})
        for intent, a in answers.items()
    }


def _bring_demo_back(data_dir: Path, rows: list[Row], say: Say) -> None:
    """Undo `_set_demo_aside`; a person's own answers stay beside as a copy."""
    demo = data_dir / "demo"
    if not demo.exists():
        return
    for name in _DEMO_CONTENT:
        here = data_dir / name
        if here.exists():
            here.rename(data_dir / f"{name}.{time.strftime('%Y%m%dT%H%M%S')}.bak")
        if (demo / name).exists():
            shutil.move(demo / name, here)
    shutil.rmtree(demo)
    say(f"brought the demo's content back for its {len({r.intent for r in rows}) - 1} intents")


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


def _import_lines(report: Report) -> list[str]:
    if not report.read:
        return []
    lines = [
        f"read {report.read} rows, kept {report.kept}: {len(report.empty)} empty, "
        f"{report.duplicates} exact duplicates, {report.thinned} near-duplicates in calibrate or "
        f"test, {len(report.conflicts)} texts with two labels set aside"
    ]
    if report.redacted:
        found = ", ".join(f"{kind}: {n} rows" for kind, n in sorted(report.redacted.items()))
        lines.append(f"personal data taken out: {found}")
    return lines + _conflict_lines(report)


def _conflict_lines(report: Report) -> list[str]:
    lines = []
    for labels in list(report.conflicts.values())[:_SHOWN]:
        where = "; ".join(f"`{label}` in row {rows[0]}" for label, rows in labels.items())
        lines.append(f"one text, two labels: {where}")
    if len(report.conflicts) > _SHOWN:
        lines.append(f"... and {len(report.conflicts) - _SHOWN} more")
    return lines


def _missing_lines(data_dir: Path, rows: list[Row]) -> list[str]:
    """Say what is still missing before this data can answer people."""
    lines = []
    entries = _answers(data_dir)
    intents = {r.intent for r in rows if r.in_scope}
    empty = sum(1 for i in intents if not entries.get(i, {}).get("answer"))
    if empty:
        lines.append(f"missing: {empty} of {len(intents)} approved answers in {data_dir / ANSWERS}")
    if not any((data_dir / "knowledge").glob("*.md")):
        lines.append(f"missing: help pages (Markdown) in {data_dir / 'knowledge'}")
    if not (data_dir / "golden.csv").exists():
        lines.append(f"missing: phrases that must never break in {data_dir / 'golden.csv'}")
    if not any(r.intent == OOS for r in rows):
        lines.append("missing: out-of-scope rows (label `oos`); the bot will be too sure")
    return [*lines, "next: `python train_model.py`"]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(data)
    draft.replace(path)
