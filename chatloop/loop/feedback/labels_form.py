"""Judges a label that a person gave: known, new, malformed, or too like a known one.

A look-alike is refused rather than corrected: the person says what was meant, and no typing slip
or disguised spelling becomes an intent of its own.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from chatloop.loop.data.rows import LABEL_FORM

_NEAR = 0.86
_LONGEST_JUDGED = 100
_FILLING = re.compile(r"[\W_]+")
# Letters that look like another one in most fonts: Cyrillic, Greek, Armenian, IPA, digits.
_CONFUSABLE = str.maketrans(
    "аеорсухіјѕԁһѵԝԛкмтвнгзпіӏ" + "αεορνικτυχωηγμ" + "օսոհցզ" + "ɡıɑοǀ" + "0135$@",
    "aeopcyxijsdhvwqkmtbhr3nil" + "aeopviktuxwnyu" + "ounhgq" + "giaol" + "olessa",
)


class LabelVerdict(StrEnum):
    """What a label is."""

    KNOWN = "known"
    NEW = "new"
    MALFORMED = "malformed"
    LOOK_ALIKE = "look_alike"


@dataclass(frozen=True, slots=True)
class LabelCheck:
    """A verdict; `match` is the known label that a look-alike resembles."""

    verdict: LabelVerdict
    match: str | None = None

    @property
    def refused(self) -> bool:
        """Whether the label may not be stored."""
        return self.verdict in {LabelVerdict.MALFORMED, LabelVerdict.LOOK_ALIKE}

    @property
    def message(self) -> str:
        """What is wrong and what to type instead, without the label itself; empty when fine."""
        if self.verdict is LabelVerdict.LOOK_ALIKE:
            return f"the label is too like the known one `{self.match}`; did you mean that?"
        if self.verdict is LabelVerdict.MALFORMED:
            return (
                "a label looks like `reset_password`: 2 to 41 characters of a-z, 0-9 and _, "
                "a letter first"
            )
        return ""


def check_label(label: str, known: Iterable[str]) -> LabelCheck:
    """Judge `label` against the known ones; a new well-formed one is a proposed intent."""
    known = sorted(set(known))
    if label in known:
        return LabelCheck(LabelVerdict.KNOWN)
    match = _look_alike(label, known) if len(label) <= _LONGEST_JUDGED else None
    if match is not None:
        return LabelCheck(LabelVerdict.LOOK_ALIKE, match)
    well_formed = LABEL_FORM.fullmatch(label) is not None
    return LabelCheck(LabelVerdict.NEW if well_formed else LabelVerdict.MALFORMED)


def _look_alike(label: str, known: list[str]) -> str | None:
    shape = _shape(label)
    shapes = {_shape(name): name for name in known}
    if shape in shapes:
        return shapes[shape]
    near = difflib.get_close_matches(shape, shapes, n=1, cutoff=_NEAR)
    return shapes[near[0]] if near else None


def _shape(label: str) -> str:
    """Return what the eye sees: case, separators, accents and the script of a letter are gone."""
    plain = unicodedata.normalize("NFKD", label).casefold().translate(_CONFUSABLE)
    bare = "".join(c for c in plain if not unicodedata.combining(c))
    return _FILLING.sub("", bare)
