"""Lends the shipped out-of-scope messages to an import that has none.

Only those that are nobody's business: small talk, homework, nonsense. The seeds also hold near
misses of the demo's trade (flights, banks, devices), which may be the very subject of another bot.
And not more than half of the import's rows, or a small import drowns in them.
"""

from __future__ import annotations

from collections.abc import Iterable

from chatloop.core.types import OOS
from chatloop.loop.data.generate import generate
from chatloop.loop.data.rows import Row
from chatloop.loop.data.seed import Seed

_SOMEBODYS_TRADE = {"near_miss_trades", "other_products", "business_other"}
_LEAST_ROWS = 100


def lend_out_of_scope(rows: Iterable[Row], seeds: Iterable[Seed], seed: int) -> list[Row]:
    """Return shipped out-of-scope rows, source `seed:...`; none when `rows` have their own.

    A message that the import has under a label of its own is left out.
    """
    families = {row.family: row.intent for row in rows}
    if OOS in families.values():
        return []
    lent = [
        row
        for row in generate((s for s in seeds if s.intent == OOS), seed)
        if row.source.startswith("seed:")
        and row.source.removeprefix("seed:") not in _SOMEBODYS_TRADE
        and row.family not in families
    ]
    return sorted(lent, key=lambda row: row.family)[: max(_LEAST_ROWS, len(families) // 2)]
