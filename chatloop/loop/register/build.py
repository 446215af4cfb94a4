"""Makes one release: trains on the fit part, measures on the others, writes every part.

Refuses to write a release whose lean scorer differs from the trained pipeline. Whether the
release is served is decided elsewhere (`releases.promote`, behind the gate).
"""

from __future__ import annotations

import io
import json
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import joblib

from chatloop.core.errors import DataError, ReleaseError
from chatloop.core.release import (
    CERTIFICATE,
    GOLDEN,
    METADATA,
    PIPELINE,
    REPORT,
    Release,
    new_version,
    write_release,
)
from chatloop.core.types import OOS
from chatloop.loop.data.hints import read_hints
from chatloop.loop.data.knowledge import (
    ApprovedAnswer,
    read_answers,
    read_golden,
    read_messages,
    read_pages,
    read_prompt,
)
from chatloop.loop.data.rows import Part, Row, fingerprint
from chatloop.loop.data.seed import load_seeds
from chatloop.loop.evaluate.certificate import Terms, make_certificate
from chatloop.loop.evaluate.html_report import Measured, html_report
from chatloop.loop.evaluate.metrics import Evaluation, evaluate, predicted_label
from chatloop.loop.evaluate.mistakes import Previous, changes
from chatloop.loop.evaluate.slices import measure_slices
from chatloop.loop.register.search_parts import QUESTIONS, questions_part, search_parts
from chatloop.loop.train.export import export_scorer, largest_difference, scorer_of
from chatloop.loop.train.fit import FittedModel, fit
from chatloop.loop.train.recipe import DEFAULT, Recipe
from chatloop.turn.answer import content
from chatloop.turn.answer.hints import HINTS
from chatloop.turn.classify import TOLERANCE, Scorer

Say = Callable[[str], None]
FEEDBACK_WEIGHT = 3.0
"""How much a person's correction counts against a seed row: it must show after one retrain."""

_CHECK_TEXTS = 200
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "joblib")


@dataclass(frozen=True, slots=True)
class Training:
    """What a release is made from. `answers`: those that come with proposed intents."""

    rows: Sequence[Row]
    terms: Terms
    seed: int
    recipe: Recipe = DEFAULT
    answers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Golden:
    """A phrase that must not break, and what this release made of it (tried at every load)."""

    text: str
    intent: str
    predicted: str


@dataclass(frozen=True)
class Built:
    """A written release and everything that was measured while making it."""

    release: Release
    scorer: Scorer
    evaluation: Evaluation
    certificate: dict[str, Any]
    golden: tuple[Golden, ...]
    metadata: dict[str, Any]

    @property
    def golden_counts(self) -> tuple[int, int]:
        """Golden phrases right, and how many there are."""
        return sum(g.predicted == g.intent for g in self.golden), len(self.golden)


def build_release(
    data_dir: Path,
    models_dir: Path,
    training: Training,
    say: Say,
    *,
    previous: Previous | None = None,
) -> Built:
    """Train, measure, write. Raises DataError or ReleaseError; nothing is promoted.

    `previous`: what the report compares with.
    """
    parts = {part: [r for r in training.rows if r.split == part] for part in Part}
    texts = read_texts(data_dir, training)
    model = _fit(parts[Part.FIT], training, say)
    scorer = scorer_of(model.pipeline)
    _refuse_difference(model, scorer, training.rows)
    say(f"measuring on {len(parts[Part.TEST])} test rows ...")
    evaluation = evaluate(scorer, parts[Part.TEST], training.seed)
    certificate = make_certificate(
        parts[Part.CALIBRATE], scorer.many, training.terms, training.seed
    )
    golden = [
        Golden(text, intent, predicted_label(scorer(text)))
        for text, intent in read_golden(data_dir / "golden.csv")
    ]
    metadata = _metadata(training, parts, model, evaluation, certificate)
    measured = _measured(scorer, parts[Part.TEST], evaluation, certificate, previous)
    metadata["slices"] = asdict(measured.slices)
    say("indexing the help pages ...")
    search = search_parts(texts, training.rows, training.seed)
    files = {**texts, **search, **_model_parts(model, parts[Part.TEST] or parts[Part.FIT])}
    files[GOLDEN] = _json([asdict(phrase) for phrase in golden])
    files[CERTIFICATE] = _json(certificate)
    name = new_version({**files, METADATA: _json(metadata)})
    metadata = {"version": name, **metadata}
    files[METADATA] = _json(metadata)
    files[REPORT] = html_report(metadata, measured).encode("utf-8", "replace")
    release = write_release(models_dir, files, name)
    return Built(release, scorer, evaluation, certificate, tuple(golden), metadata)


def _fit(rows: Sequence[Row], training: Training, say: Say) -> FittedModel:
    weights = [FEEDBACK_WEIGHT if r.source == "feedback" else 1.0 for r in rows]
    labels = [r.intent for r in rows]
    say(f"training on {len(rows)} rows of {len(set(labels))} labels ...")
    return fit(
        [r.text for r in rows],
        labels,
        weights,
        recipe=training.recipe,
        seed=training.seed,
        families=[r.family for r in rows],
        progress=say,
    )


def _refuse_difference(model: FittedModel, scorer: Scorer, rows: Sequence[Row]) -> None:
    texts = [r.text for r in rows if r.split == Part.TEST]
    difference = largest_difference(model.pipeline, scorer, texts)
    if difference > TOLERANCE:
        raise ReleaseError(
            f"the lean scorer differs from the pipeline by {difference:.2e} (limit {TOLERANCE}); "
            "nothing was released"
        )


def _model_parts(model: FittedModel, checked: Sequence[Row]) -> dict[str, bytes]:
    pickled = io.BytesIO()
    joblib.dump(model.pipeline, pickled, compress=3)
    step = max(1, len(checked) // _CHECK_TEXTS)
    texts = [r.text for r in checked[::step]][:_CHECK_TEXTS]
    return {PIPELINE: pickled.getvalue(), **export_scorer(model.pipeline, texts)}


def read_texts(data_dir: Path, training: Training) -> dict[str, bytes]:
    """Return the text parts of a release; raises DataError with file and line."""
    intents = {r.intent for r in training.rows if r.intent != OOS}
    answers = read_answers(data_dir / "answers.yaml")
    proposed = {i: ApprovedAnswer(t) for i, t in training.answers.items() if t}
    answers = {**proposed, **{i: a for i, a in answers.items() if a.answer or i not in proposed}}
    pages = read_pages(data_dir / "knowledge")
    _refuse_dead_links(data_dir, answers, {p.page for p in pages})
    shipped = {s.intent: {"question": s.question, "group": s.group} for s in load_seeds()}
    entries = {
        intent: asdict(answers.get(intent, ApprovedAnswer("")))
        | shipped.get(intent, {"question": "", "group": ""})
        for intent in sorted(intents)
    }
    return {
        content.ANSWERS: _json(entries),
        content.PASSAGES: _json([asdict(p) for p in pages]),
        QUESTIONS: questions_part(data_dir / "knowledge"),
        content.MESSAGES: _json(read_messages(data_dir / "messages.yaml")),
        HINTS: _json(asdict(read_hints(data_dir / "hints.yaml"))),
        content.PROMPT: read_prompt(data_dir / "prompt.txt").encode("utf-8"),
    }


def _refuse_dead_links(
    data_dir: Path, answers: Mapping[str, ApprovedAnswer], pages: set[str]
) -> None:
    for intent, answer in answers.items():
        if answer.page and answer.page not in pages:
            file = data_dir / "answers.yaml"
            raise DataError(f"{file}, `{intent}`: there is no help page `{answer.page}.md`")


def _measured(
    scorer: Scorer,
    rows: Sequence[Row],
    evaluation: Evaluation,
    certificate: Mapping[str, Any],
    previous: Previous | None,
) -> Measured:
    intents = scorer.many([r.text for r in rows])
    return Measured(
        evaluation=evaluation,
        rows=rows,
        intents=intents,
        certificate=certificate,
        slices=measure_slices(scorer, rows, intents, certificate["threshold"]),
        changes=changes(previous, rows, evaluation.predicted) if previous else None,
    )


def _metadata(
    training: Training,
    parts: Mapping[Part, Sequence[Row]],
    model: FittedModel,
    evaluation: Evaluation,
    certificate: Mapping[str, Any],
) -> dict[str, Any]:
    figures = {
        name: asdict(getattr(evaluation, name))
        for name in ("accuracy", "accuracy_in_scope", "oos_recall", "macro_f1")
    }
    return {
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "data_fingerprint": fingerprint(training.rows),
        "seed": training.seed,
        "recipe": asdict(training.recipe),
        "rows": {part.value: len(rows) for part, rows in parts.items()},
        "sources": dict(Counter(r.source.partition(":")[0] for r in training.rows)),
        "intents": len({r.intent for r in training.rows if r.in_scope}),
        "temperature": model.temperature,
        "train_cpu_s": round(model.cpu_seconds, 2),
        "threshold": certificate["threshold"],
        "threshold_state": certificate["state"],
        "promise": certificate["words"],
        "test": {**figures, "ece": evaluation.ece},
        "recall": {label: asdict(share) for label, share in evaluation.recall.items()},
        "libraries": {name: installed(name) for name in _LIBRARIES},
        "python": platform.python_version(),
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8")
