"""Families and parts: a family belongs to one part for ever, by a keyed hash.

So no two rows that say the same thing stand on both sides of fit and test, and a row's part does
not depend on which other rows there are.
"""

from __future__ import annotations

import hashlib
import re

from chatloop.core.ids import bucket
from chatloop.loop.data.rows import Part

_TOKEN = re.compile(r"(?u)\w+")
_FILLERS = frozenset("a an the please pls plz hi hello hey so just my your our of to".split())
_FIT_SHARE, _CALIBRATE_SHARE = 0.70, 0.15


def near_duplicate_key(text: str) -> str:
    """Return a key that texts share when they differ only in order, fillers and punctuation."""
    tokens = _TOKEN.findall(text.casefold())
    core = [t for t in tokens if t not in _FILLERS] or tokens or [text]
    return hashlib.blake2b(" ".join(sorted(core)).encode(), digest_size=6).hexdigest()


def part_of(family: str, seed: int) -> Part:
    """Return the part of a family: fit 70 %, calibrate 15 %, test 15 %."""
    u = bucket("part", str(seed), family)
    if u < _FIT_SHARE:
        return Part.FIT
    return Part.CALIBRATE if u < _FIT_SHARE + _CALIBRATE_SHARE else Part.TEST
