"""One turn of the loop: data and feedback in, a candidate out, the gate between it and customers.

Runs in whatever process calls it (the child of /retrain, or `train_model.py`); serving is never
touched: the pointer moves last, or not at all.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from chatloop.core.errors import ReleaseError
from chatloop.core.release import METADATA, Release, open_release, read_pointer
from chatloop.core.settings import Settings
from chatloop.loop.data.rows import FILE, Part, fingerprint, read_rows
from chatloop.loop.evaluate.certificate import Terms
from chatloop.loop.evaluate.gate import GateVerdict, compare
from chatloop.loop.evaluate.mistakes import Previous
from chatloop.loop.feedback.copy import FILE as CSV_COPY
from chatloop.loop.feedback.copy import CsvCopy
from chatloop.loop.feedback.labels import LabelledRows, training_rows
from chatloop.loop.register.build import Built, Training, build_release, read_texts
from chatloop.loop.register.releases import promote
from chatloop.loop.store import Store
from chatloop.loop.train.recipe import RECIPES
from chatloop.turn.classify import load as load_scorer

log = logging.getLogger(__name__)
Report = Callable[[float, str, str], None]
"""Progress: share done in [0, 1], stage, one line for people."""


@dataclass(frozen=True)
class CycleResult:
    """What a cycle came to. `gate` is None when there was nothing to compare with."""

    promoted: bool
    message: str
    old_version: str | None
    new_version: str | None = None
    rows: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    gate: dict[str, Any] | None = None
    built: Built | None = None

    @property
    def refused(self) -> bool:
        """Whether the gate kept the candidate from being served."""
        return self.gate is not None and self.gate["verdict"] == "refused" and not self.promoted

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON-ready result."""
        names = ("promoted", "message", "old_version", "new_version", "rows", "metrics", "gate")
        return {name: getattr(self, name) for name in names}


def run_cycle(
    settings: Settings, store: Store, *, gated: bool, force: bool, actor: str, report: Report
) -> CycleResult:
    """Train on all accepted rows and promote the result if it may be.

    `gated` compares with the current release and skips a cycle without news; `force` promotes
    past a refusal. Raises DataError, ReleaseError or StoreError; then nothing was promoted.
    """
    report(0.02, "read", "reading rows and feedback")
    current = _current(settings)
    labelled = _rows(settings, store)
    training = Training(
        rows=labelled.rows,
        terms=Terms(settings.target_error, settings.delta, settings.min_oos_share),
        seed=settings.seed,
        recipe=RECIPES[settings.recipe],
        answers={p.label: p.answer for p in store.proposed_intents() if p.answer},
    )
    if gated and not force and current and not _is_news(settings, training, current):
        return CycleResult(
            promoted=False,
            message="no new rows: nothing changed since the current release was trained",
            old_version=current.version,
            rows=_counts(labelled),
        )
    say = _stepper(report)
    built = build_release(
        settings.data_dir, settings.models_dir, training, say, previous=_previous(current)
    )
    verdict = _judge(settings, training, built, current, report) if gated and current else None
    accepted = verdict is None or verdict.accepted or force
    if accepted:
        report(0.97, "promote", f"promoting {built.release.version}")
        promote(settings.models_dir, built.release.version, actor)
    return CycleResult(
        promoted=accepted,
        message=_message(built, verdict, accepted=accepted),
        old_version=current.version if current else None,
        new_version=built.release.version,
        rows=_counts(labelled),
        metrics={"old": _figures(current), "new": built.metadata["test"]},
        gate=_gate_on_wire(verdict),
        built=built,
    )


def _current(settings: Settings) -> Release | None:
    pointer = read_pointer(settings.models_dir)
    if pointer is None:
        return None
    return open_release(settings.models_dir, pointer.version, pointer.manifest_sha256)


def _previous(current: Release | None) -> Previous | None:
    """What the report compares with; a current release that cannot be read stops no training."""
    try:
        return Previous(current.version, load_scorer(current)) if current else None
    except ReleaseError as error:
        log.warning("the report compares with nothing: %s", error)
        return None


def _rows(settings: Settings, store: Store) -> LabelledRows:
    base = read_rows(settings.data_dir / FILE)
    known = {row.intent for row in base}
    copy = CsvCopy(settings.data_dir / CSV_COPY)
    return training_rows(
        store,
        base,
        known_labels=known,
        csv_copy=copy,
        new_intent_examples=settings.new_intent_examples,
    )


def _is_news(settings: Settings, training: Training, current: Release) -> bool:
    """Whether rows or texts differ from what the current release was made from."""
    metadata = json.loads(current.read(METADATA))
    if metadata.get("data_fingerprint") != fingerprint(training.rows):
        return True
    texts = read_texts(settings.data_dir, training)
    return any(
        name not in current.digests or current.read(name) != data for name, data in texts.items()
    )


def _stepper(report: Report) -> Callable[[str], None]:
    """Map the lines of training and measuring to a growing share done."""
    done = 0.05

    def say(line: str) -> None:
        nonlocal done
        done += (0.9 - done) / 4
        report(round(done, 3), "train", line)

    return say


def _judge(
    settings: Settings, training: Training, built: Built, current: Release, report: Report
) -> GateVerdict:
    report(0.93, "judge", f"comparing with {current.version} on the same test rows")
    return compare(
        load_scorer(current),
        built.scorer,
        [r for r in training.rows if r.split == Part.TEST],
        [(g.text, g.intent) for g in built.golden],
        margin=settings.regression_margin,
    )


def _counts(labelled: LabelledRows) -> dict[str, Any]:
    return {
        "used": len(labelled.rows),
        "feedback": labelled.used,
        "held": labelled.held,
        "refused": labelled.refused,
        "moved_families": labelled.moved_families,
        "waiting": {label: f"{have} of {need}" for label, (have, need) in labelled.waiting.items()},
        "problems": list(labelled.problems),
    }


def _figures(release: Release | None) -> dict[str, Any] | None:
    if release is None:
        return None
    try:
        return dict(json.loads(release.read(METADATA))["test"])
    except (ReleaseError, ValueError, KeyError):
        return None


def _gate_on_wire(verdict: GateVerdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    word = "accepted" if verdict.accepted else "refused"
    return {"verdict": word, "checks": [asdict(check) for check in verdict.checks]}


def _message(built: Built, verdict: GateVerdict | None, *, accepted: bool) -> str:
    version = built.release.version
    if verdict is None or verdict.accepted:
        return f"release {version} is served now"
    why = "; ".join(f"{c.name}: {c.detail}" for c in verdict.checks if not c.passed)
    if accepted:
        return f"release {version} is served now by force, although the gate refused: {why}"
    return f"release {version} was refused, the current one stays: {why}"
