"""Brings labels as people write them into the house form, and finds labels that look alike.

`Rechnung anfordern` becomes `rechnung_anfordern`; a label without an ASCII form becomes
`intent_` and a digest. Nothing here looks at texts. Labels travel into addresses, metrics and
file keys, so their form is narrow.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from chatloop.core.errors import DataError
from chatloop.core.types import OOS
from chatloop.loop.data.rows import LABEL_FORM
from chatloop.turn.guard.pii import redact
from chatloop.turn.receive import normalise

_OOS_NAMES = {"oos", "out_of_scope", "out-of-scope", "out of scope"}
_MAX_NAME_CHARS = 200
_MAX_CHARS, _CUT_CHARS = 41, 32
_NO_ASCII_DECOMPOSITION = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
_BROKEN_CELL = re.compile(r"=|#(?:REF|N/A|NAME|VALUE|DIV/0|NULL|NUM)\b", re.IGNORECASE)
_LEAST_CHARS = 6
"""Shorter labels differ in one letter by chance (`log_in`, `log_on`)."""


def house_label(name: str) -> str:
    """Return the label in the house form; `name` must not be empty. The same name, the same label.

    Longer than 41 characters: cut, with a digest of the whole.
    """
    if name.lower() in _OOS_NAMES:
        return OOS
    plain = re.sub(r"[\s/-]+", "_", name.lower())
    if LABEL_FORM.fullmatch(plain):
        return plain
    digest = hashlib.blake2b(name.casefold().encode(), digest_size=4).hexdigest()
    slug = _ascii(name)
    if not slug:
        return f"intent_{digest}"
    if len(slug) == 1 or not slug[0].isalpha():
        slug = f"intent_{slug}"
    return slug if len(slug) <= _MAX_CHARS else f"{slug[:_CUT_CHARS].rstrip('_')}_{digest}"


def _ascii(name: str) -> str:
    """Return letters, digits and `_`; empty when a letter of the name has no ASCII form."""
    bare = unicodedata.normalize("NFKD", name.lower().translate(_NO_ASCII_DECOMPOSITION))
    if any(c.isalnum() and not c.isascii() for c in bare):
        return ""
    letters = "".join(c for c in bare if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "_", letters).strip("_")


class Labels:
    """The labels of one file, each judged once. `place` is what its line numbers are called."""

    def __init__(self, path: Path, place: str = "row") -> None:
        self._path, self._place = path, place
        self._judged: dict[str, tuple[str, str]] = {}
        self._first: dict[str, tuple[str, int]] = {}

    def of(self, raw: str, number: int) -> tuple[str, str]:
        """Return the label in the house form and its name in the file, without odd spaces.

        Raises DataError for what is no label, and when two names become the same label.
        """
        if raw not in self._judged:
            self._judged[raw] = self._judge(" ".join(normalise(raw).split()), number)
        return self._judged[raw]

    def _judge(self, name: str, number: int) -> tuple[str, str]:
        where = f"{self._path}, {self._place} {number}"
        if fault := _fault(name):
            raise DataError(f"{where}: the intent {fault}")
        label = house_label(name)
        first, at = self._first.setdefault(label, (name, number))
        if first != name and label != OOS:
            raise DataError(
                f"{where}: the labels `{first}` ({self._place} {at}) and `{name}` both become "
                f"`{label}`; rename one, or write both the same way"
            )
        return label, name


def _fault(name: str) -> str:
    if not name or _BROKEN_CELL.match(name):
        return "is empty or not of the form `reset_password` (a formula is no label)"
    if len(name) > _MAX_NAME_CHARS:
        return f"has {len(name)} characters (at most {_MAX_NAME_CHARS}): is this the right column?"
    if redact(name).kinds:
        return "holds personal data; rename it, labels are shown to everyone"
    return ""


def similar_labels(names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return pairs of labels that differ in word order, a plural or one letter, in order.

    `names` maps a label to its name in the file, which is what is compared.
    """
    holders: dict[str, list[str]] = defaultdict(list)
    for label in sorted(names):
        for key in _keys(names[label].casefold()):
            holders[key].append(label)
    pairs = {
        (a, b) for labels in holders.values() for i, a in enumerate(labels) for b in labels[i + 1 :]
    }
    return sorted(pairs)


def _keys(name: str) -> set[str]:
    """Return keys that similar names share; digits must agree."""
    words = re.findall(r"[^\W_]+", name)
    joined = "".join(words)
    if len(joined) < _LEAST_CHARS:
        return set()
    digits = "".join(c for c in joined if c.isdigit())
    stems = " ".join(sorted(word.removesuffix("s") for word in words))
    return {f"{digits}/{key}" for key in (stems, joined, *_without_one(joined))}


def _without_one(word: str) -> Iterator[str]:
    return (word[:i] + word[i + 1 :] for i in range(len(word)))
