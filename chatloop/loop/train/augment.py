"""Altered copies of the training texts: words dropped, letters swapped or lost.

Works on token numbers, so a copy costs little more than its new tokens. Labels stay: no
alteration here is meant to change what a message asks for.
"""

from __future__ import annotations

import numpy as np

from chatloop.loop.train.features import Tokens

_TYPO_MIN_CHARS = 3


def altered(
    tokens: Tokens, rng: np.random.Generator, *, drop_rate: float, typo_rate: float
) -> Tokens:
    """Return a copy: each word is lost at `drop_rate`, a text gets one typo at `typo_rate`."""
    return _with_typos(_with_drops(tokens, rng, drop_rate), rng, typo_rate)


def _with_drops(tokens: Tokens, rng: np.random.Generator, rate: float) -> Tokens:
    """Drop words; a text that would lose all of them keeps them all."""
    text_of = np.repeat(np.arange(tokens.n_texts), np.diff(tokens.starts))
    kept = rng.random(len(tokens.ids)) >= rate
    kept |= ~np.bincount(text_of, weights=kept, minlength=tokens.n_texts).astype(bool)[text_of]
    lengths = np.bincount(text_of[kept], minlength=tokens.n_texts)
    return Tokens(tokens.table, tokens.ids[kept], np.concatenate([[0], np.cumsum(lengths)]))


def _with_typos(tokens: Tokens, rng: np.random.Generator, rate: float) -> Tokens:
    lengths = np.diff(tokens.starts)
    chosen = (lengths > 0) & (rng.random(tokens.n_texts) < rate)
    place = tokens.starts[:-1] + (rng.random(tokens.n_texts) * lengths).astype(np.int64)
    draws = rng.random((tokens.n_texts, 2))
    table, ids = list(tokens.table), tokens.ids.copy()
    for at, (kind, where) in zip(place[chosen].tolist(), draws[chosen].tolist(), strict=True):
        token = tokens.table[ids[at]]
        if len(token) >= _TYPO_MIN_CHARS:
            ids[at] = len(table)
            table.append(misspelt(token, kind < 0.5, where))
    return Tokens(table, ids, tokens.starts)


def misspelt(token: str, swap: bool, where: float) -> str:
    """Return the token with two neighbours swapped, or one letter lost, at `where` in [0, 1)."""
    if swap:
        k = int(where * (len(token) - 1))
        return token[:k] + token[k + 1] + token[k] + token[k + 2 :]
    k = int(where * len(token))
    return token[:k] + token[k + 1 :]
