"""Makes the demo's rows from the seeds: hand-written phrasings, and template expansions.

Expansions only ever go to the fit part: calibrate and test hold what people wrote, one row a
family, or their figures would flatter us.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Iterator

from chatloop.loop.data.parts import near_duplicate_key, part_of
from chatloop.loop.data.rows import Part, Row
from chatloop.loop.data.seed import Seed
from chatloop.turn.guard.pii import redact
from chatloop.turn.receive import normalise

_SLOT = re.compile(r"\{([^{}]*)\}")
_EXPANSIONS_PER_TEMPLATE = 6


def generate(seeds: Iterable[Seed], seed: int) -> list[Row]:
    """Return all rows, hand-written first, each text once; the same seed gives the same rows."""
    seeds = tuple(seeds)
    rows: dict[str, Row] = {}
    for row in itertools.chain.from_iterable(_written(s, seed) for s in seeds):
        rows.setdefault(row.family, row)
    expanded = itertools.chain.from_iterable(_expanded(s, seed) for s in seeds)
    for row in expanded:
        rows.setdefault(near_duplicate_key(row.text), row)
    return list(rows.values())


def _written(seed: Seed, number: int) -> Iterator[Row]:
    for build, texts in seed.phrasings.items():
        for raw in texts:
            text = redact(normalise(raw)).text
            family = near_duplicate_key(text)
            yield Row(text, seed.intent, f"seed:{build}", family, part_of(family, number))


def _expanded(seed: Seed, number: int) -> Iterator[Row]:
    for index, template in enumerate(seed.templates):
        rng = random.Random(f"{number}/{seed.intent}/{index}")
        texts = expand(template)
        chosen = rng.sample(texts, min(len(texts), _EXPANSIONS_PER_TEMPLATE))
        for text in chosen:
            family = f"{seed.intent}-template-{index}"
            yield Row(normalise(text), seed.intent, "template", family, Part.FIT)


def expand(template: str) -> list[str]:
    """Return every sentence of a template; `{a|b}` is a choice, `{a|}` may be left out."""
    parts = _SLOT.split(template)
    choices = [[p] if i % 2 == 0 else p.split("|") for i, p in enumerate(parts)]
    sentences = ("".join(words) for words in itertools.product(*choices))
    return list(dict.fromkeys(" ".join(s.split()) for s in sentences))
