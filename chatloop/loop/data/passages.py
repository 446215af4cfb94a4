"""Cuts the Markdown text of a help page into passages: one a section, long sections in parts.

Knows headings, paragraphs and sentences, nothing about their meaning. A passage keeps where it
stands in its page, so that a citation can be checked against the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

PASSAGE_CHARS = 1100
"""Longest passage: about 180 English words. A longer section is cut into even parts."""

_MASK = "\0"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_INVISIBLE = re.compile(r"[\0\u200b-\u200f\u2060\ufeff]")
_HEADING = re.compile(r"^\0*##\s+(.+?)\s*$", re.MULTILINE)
_BREAKS = tuple(map(re.compile, (r"\n\s*\n", r"\n|[.!?]\s|[。！？]", r"\s")))
"""Where a long section may be cut, best first: paragraph; line or sentence; word."""

Section = tuple[str, int, int, str]


def sections(text: str, begin: int = 0) -> list[Section]:
    """Return (heading, start, end, words) of each passage, in order, from character `begin` on.

    `text[start:end]` is the passage as it stands in the page; `words` is the same without
    comments and invisible characters, which nobody reads and somebody may hide orders in.
    """
    masked = _masked(text)
    headings = list(_HEADING.finditer(masked, begin))
    ends = [*(heading.start() for heading in headings[1:]), len(masked)]
    return [
        (heading[1].replace(_MASK, ""), start, end, masked[start:end].replace(_MASK, ""))
        for heading, stop in zip(headings, ends, strict=False)
        for start, end in _parts(masked, *_trimmed(masked, heading.end(), stop))
    ]


def _masked(text: str) -> str:
    """Return the text with each hidden character replaced by the mask."""
    closed = text.rfind("-->") + 3  # beyond it no comment ends, and none is searched for
    seen = _COMMENT.sub(lambda found: _MASK * len(found[0]), text[:closed]) + text[closed:]
    return _INVISIBLE.sub(_MASK, seen)


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield spans of at most PASSAGE_CHARS, about equally long; none for an empty section."""
    while end - start > PASSAGE_CHARS:
        at = _cut(text, start, end)
        yield _trimmed(text, start, at)
        start, end = _trimmed(text, at, end)
    if start < end:
        yield start, end


def _cut(text: str, start: int, end: int) -> int:
    """Return where to cut: the best kind of break that is near the even share."""
    share = (end - start) // -(-(end - start) // PASSAGE_CHARS)
    for kind in _BREAKS:
        found = kind.finditer(text, start + share // 2, start + PASSAGE_CHARS)
        if places := [match.end() for match in found]:
            return min(places, key=lambda at: abs(at - start - share))
    return start + share


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without white space and hidden characters around it."""
    inner = text[start:end].strip(_MASK + " \t\r\n\f\v\x85\xa0\u2028\u2029\u3000")
    start = text.index(inner, start, end) if inner else end
    return start, start + len(inner)
