"""The door to retrieval: finds passages of a release's help pages and says if they support."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from chatloop.core.errors import ReleaseError
from chatloop.core.release import Release
from chatloop.core.types import Intent, Source
from chatloop.turn.answer.content import Content, HelpPassage
from chatloop.turn.answer.retrieve import index
from chatloop.turn.answer.retrieve.index import Index, read_index
from chatloop.turn.answer.retrieve.support import PART, Support

PARTS = (index.SPEC, index.ARRAYS, index.VECTORS, PART)
"""The parts of a release that a search needs."""


@dataclass(frozen=True, slots=True)
class Found:
    """Passages with sources, best first, one a page; `supported`: they answer the question."""

    hits: tuple[tuple[HelpPassage, Source], ...] = ()
    support: float = 0.0
    supported: bool = False

    @property
    def passages(self) -> tuple[HelpPassage, ...]:
        """The passages that support an answer; none when nothing does."""
        return tuple(passage for passage, _ in self.hits) if self.supported else ()

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where the supporting passages are; none when nothing supports."""
        return tuple(source for _, source in self.hits) if self.supported else ()


class Retriever:
    """Searches the passages of one release. Immutable; a search takes under a millisecond."""

    def __init__(self, content: Content, ranks: Index, support: Support) -> None:
        self._passages, self._index, self._support = content.passages, ranks, support
        self._pages = {i: entry.page for i, entry in content.approved.items() if entry.page}
        if ranks.n_passages != len(self._passages):
            raise ValueError("the index is for other passages")

    def search(self, text: str, intent: Intent | None = None, k: int = 3) -> Found:
        """Return up to `k` passages of different pages; nothing when no word is known."""
        ranking = self._index.rank(text, self._likely(intent)) if self._passages else None
        if ranking is None:
            return Found()
        support = self._support(text, ranking.signals)
        pairs = zip(ranking.passages[:k].tolist(), ranking.scores[:k].tolist(), strict=True)
        hits = tuple((self._passages[i], _source(self._passages[i], score)) for i, score in pairs)
        return Found(hits, support, support >= self._support.threshold)

    def _likely(self, intent: Intent | None) -> dict[str, float]:
        likely: dict[str, float] = {}
        for score in intent.top if intent else ():
            if page := self._pages.get(score.intent):
                likely[page] = likely.get(page, 0.0) + score.confidence
        return likely


def load_retriever(release: Release, content: Content) -> Retriever:
    """Read the search index of a verified release; raises ReleaseError when it does not fit."""
    parts = {name: release.read(name) for name in PARTS}
    try:
        return read_retriever(parts, content)
    except index.UNREADABLE as error:
        raise ReleaseError(
            f"release {release.version}: the search index cannot be read ({error}); "
            "roll back or train again"
        ) from error


def read_retriever(parts: Mapping[str, bytes], content: Content) -> Retriever:
    """Build a retriever from its parts; raises one of UNREADABLE when they are malformed."""
    raw = json.loads(parts[PART])
    support = Support(
        tuple(map(float, raw["signals"])),
        float(raw["bias"]),
        float(raw["threshold"]),
        {str(gram): float(weight) for gram, weight in raw["grams"].items()},
    )
    return Retriever(content, read_index(parts), support)


def _source(p: HelpPassage, score: float) -> Source:
    return Source(p.page, p.title, p.heading, p.anchor, round(score, 3), p.start, p.end)
