"""Cuts a text into the content words that the index is made of. Nothing is learnt here.

Word forms are folded by a few English endings only; scripts without spaces between words are
cut into pairs of characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r"\w\w+")
_WORD = re.compile(r"\w+")
_ENDINGS = re.compile(r"(?:ing|ied|ies|ed|es|s|e)$")
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]"
)
GRAM_CHARS = (3, 4)
_STOP = frozenset(
    "the an of to in on at for and or is are was were be been it its this that these those my our "
    "your you we me us they he she do does did can could would should will have has had with from "
    "by as if not no so but what which who how when where why there here please hi hello thanks "
    "am im get got want need know just any some all too very about into out up then than".split()
)


def tokens(text: str) -> list[str]:
    """Return the content words of a text, lower case, common endings off."""
    words = (w for w in _TOKEN.findall(text.lower()) if w not in _STOP)
    return [form for word in words for form in _forms(word)]


def grams(text: str) -> list[str]:
    """Return the distinct groups of three and four characters of the words of a text.

    Each word stands between spaces, so that its beginning and end are groups of their own;
    function words are included.
    """
    padded = [f" {word} " for word in _WORD.findall(text.lower())]
    found = (
        w[k : k + n] for w in padded for n in GRAM_CHARS for k in range(max(len(w) - n + 1, 1))
    )
    return list(dict.fromkeys(found))


def _forms(word: str) -> Iterator[str]:
    if _UNSPACED.search(word):
        yield from (word[k : k + 2] for k in range(max(len(word) - 1, 1)))
    else:
        yield _ENDINGS.sub("", word) if len(word) > 4 else word
