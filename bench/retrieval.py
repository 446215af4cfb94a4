"""How often the help pages are found, how often a search rightly says no, and how long it takes.

On the labelled questions of tests/cases/help_questions.jsonl, with the classifier as it is
trained by default and without a language model. Tuned on their dev part only.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.data import SEED, Data
from bench.intents import train
from chatloop.core.release import new_version, write_release
from chatloop.loop.data.help_index import Knowledge, index_parts
from chatloop.loop.data.help_support import support_part
from chatloop.loop.evaluate.certificate import Terms
from chatloop.loop.register.build import Training, read_texts
from chatloop.loop.register.search_parts import search_parts
from chatloop.loop.train.export import scorer_of
from chatloop.turn.answer.content import Content, HelpPassage, load_content
from chatloop.turn.answer.retrieve import Found, Retriever, load_retriever
from chatloop.turn.answer.retrieve.search import read_retriever
from chatloop.turn.classify import Scorer

QUESTIONS = Path("tests/cases/help_questions.jsonl")
PASSAGES = 2_000


@dataclass(frozen=True)
class Asked:
    """A labelled question and what was found for it, up to ten pages."""

    pages: list[str]
    found: Found

    @property
    def rank(self) -> int | None:
        """Place of the first right page, from 1; None when it is not among them."""
        pages = [passage.page for passage, _ in self.found.hits]
        return next((i for i, page in enumerate(pages, start=1) if page in self.pages), None)


def rows(data: Data, _seeds: int) -> Iterator[tuple[str, str]]:
    """Yield (figure, value); only for the project's own pages and rows."""
    if data.name != "the project's own set":
        return
    scorer = scorer_of(train(data, SEED).pipeline)
    retriever = _retriever(data)
    labelled = [json.loads(line) for line in QUESTIONS.read_text("utf-8").splitlines() if line]
    for part in ("dev", "test"):
        chosen = [q for q in labelled if q["part"] == part]
        yield from _quality(part, chosen, retriever, scorer)
    yield f"search over {PASSAGES} passages, ms (p50)", f"{_search_ms():.3f}"


def _retriever(data: Data) -> Retriever:
    training = Training(rows=data.rows, terms=Terms(0.05, 0.1, 0.2), seed=SEED)
    texts = read_texts(Path("data"), training)
    files = {**texts, **search_parts(texts, data.rows, SEED)}
    with tempfile.TemporaryDirectory() as folder:
        release = write_release(Path(folder), files, new_version(files))
        return load_retriever(release, load_content(release))


def _quality(
    part: str, labelled: list[dict[str, object]], retriever: Retriever, scorer: Scorer
) -> Iterator[tuple[str, str]]:
    asked = [
        Asked(
            list(q["pages"]), retriever.search(str(q["question"]), scorer(str(q["question"])), 10)
        )
        for q in labelled
    ]
    answerable = [a for a, q in zip(asked, labelled, strict=True) if q["answerable"]]
    refused = [
        (not a.found.supported, q["near"])
        for a, q in zip(asked, labelled, strict=True)
        if not q["answerable"]
    ]
    ranks = [a.rank for a in answerable]
    for k in (1, 3):
        yield f"help pages, {part}: hit@{k}, %", _share([r is not None and r <= k for r in ranks])
    yield f"help pages, {part}: MRR", f"{statistics.fmean(1 / r if r else 0.0 for r in ranks):.3f}"
    for name, near in (("near misses", True), ("other subjects", False)):
        value = _share([hit for hit, is_near in refused if is_near is near])
        yield f"help pages, {part}: refused, {name}, %", value
    yield f"help pages, {part}: unanswerable refused, %", _share([hit for hit, _ in refused])
    yield (
        f"help pages, {part}: falsely refused, %",
        _share([not a.found.supported for a in answerable]),
    )


def _share(hits: list[bool]) -> str:
    return f"{100 * statistics.fmean(hits):.1f} (n={len(hits)})"


def _search_ms() -> float:
    """Median of a search over many passages of made-up words, a tenth of them frequent."""
    draw = random.Random(SEED)
    words = [f"w{number}" for number in range(5_000)]
    weights = [10.0 if number % 10 == 0 else 1.0 for number in range(5_000)]

    def text(n_words: int) -> str:
        return " ".join(draw.choices(words, weights, k=n_words))

    passages = [
        HelpPassage(f"p{number // 5}", text(4), text(4), "", text(80)) for number in range(PASSAGES)
    ]
    knowledge = Knowledge(passages)
    parts = {**index_parts(knowledge, SEED), **support_part(knowledge, SEED)}
    retriever = read_retriever(parts, Content({}, tuple(passages), {}, ""))
    times = []
    for question in [text(10) for _ in range(300)]:
        begun = time.perf_counter()
        retriever.search(question)
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)
