"""Takes e-mail addresses, phone numbers and card numbers out of a text, before anything sees it.

Covers those three kinds, in plain spelling. Does not cover names, postal addresses, or disguised
spellings. Each find becomes a numbered placeholder such as `[EMAIL_1]`; the same value gets the
same number within one text, so the sense of a message survives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
from stdnum import luhn

from chatloop.core.types import Verdict

EMAIL, PHONE, CARD = "email", "phone", "card"

# Bounded repeats keep every pattern linear in the length of the text.
_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])", re.UNICODE
)
_DIGIT_RUN = re.compile(r"(?<![\w.])(?:\+|00)?\(?\d(?:[ ./()\u00a0-]{0,3}\d){6,22}(?!\w)")
_PLACEHOLDER = re.compile(r"\[(?:EMAIL|PHONE|CARD)_\d{1,4}\]")
_REFERENCE = re.compile(
    r"(?:\b(?:order|ticket|invoice|tracking|serial|case|reference|ref|id|key|version|row|"
    r"customer|account)\b|#)\W{0,3}(?:number|no|nr|id|num)?\W{0,4}(?:is\W{1,2})?$",
    re.IGNORECASE,
)
_PHONE_WORD = re.compile(
    r"\b(?:phone|call|cell|mobile|tel|telephone|whatsapp|sms|text me|my number|reach|dial|fax)\b",
    re.IGNORECASE,
)
_SHAPED = re.compile(
    r"^\+|^00|^\(?\d{2,4}\)?[ ./-]\d{2,4}[ ./-]\d{3,4}|^0\d|^\(\d{2,4}\)", re.ASCII
)
_DATE_OR_ADDRESS = re.compile(
    r"^(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})|^\d{1,3}(?:\.\d{1,3}){3}$"
)
_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "IN", "AU", "BR", "MX")


@dataclass(frozen=True, slots=True)
class _Find:
    start: int
    end: int
    kind: str
    value: str


def redact(text: str) -> Verdict:
    """Return `text` with each find replaced, and the kinds found in order. Idempotent."""
    finds = _without_overlap(sorted(_finds(text), key=lambda f: (f.start, -f.end)))
    if not finds:
        return Verdict(text)
    pieces, last, numbers = [], 0, _taken_numbers(text)
    for find in finds:
        pieces += [text[last : find.start], _placeholder(find, numbers)]
        last = find.end
    kinds = tuple(dict.fromkeys(f.kind for f in finds))
    return Verdict("".join(pieces) + text[last:], kinds)


def find_kinds(text: str) -> tuple[str, ...]:
    """Return which kinds of personal data `text` holds."""
    return redact(text).kinds


def _finds(text: str) -> Iterator[_Find]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield _Find(match.start(), match.end(), EMAIL, match.group().lower())
    for match in _DIGIT_RUN.finditer(text):
        kind = _number_kind(text, match)
        if kind:
            digits = re.sub(r"\D", "", match.group())
            yield _Find(match.start(), match.end(), kind, digits)


def _number_kind(text: str, match: re.Match[str]) -> str | None:
    """Card by length and Luhn; phone by its own shape or by the words before it."""
    run = match.group()
    digits = re.sub(r"\D", "", run)
    if 13 <= len(digits) <= 19 and not run.startswith("+") and luhn.is_valid(digits):
        return CARD
    before = text[max(0, match.start() - 32) : match.start()]
    if not 7 <= len(digits) <= 15 or _DATE_OR_ADDRESS.match(run):
        return None
    named = bool(_PHONE_WORD.search(before))
    if _REFERENCE.search(before) and not run.startswith("+") and not named:
        return None
    shaped = bool(_SHAPED.match(run))
    return PHONE if (named or shaped) and _is_phone(run, named=named) else None


def _is_phone(run: str, *, named: bool) -> bool:
    """Possible in some region when a word names it or a `+` leads; else valid in one."""
    if run.startswith("00"):
        run = "+" + run[2:]
    for region in (None,) if run.startswith("+") else _REGIONS:
        try:
            number = phonenumbers.parse(run, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return True
        if (named or region is None) and phonenumbers.is_possible_number(number):
            return True
    return False


def _without_overlap(finds: list[_Find]) -> list[_Find]:
    kept: list[_Find] = []
    for find in finds:
        if not kept or find.start >= kept[-1].end:
            kept.append(find)
    return kept


def _taken_numbers(text: str) -> dict[str, list[str]]:
    """Placeholders that the text brought along keep their numbers: new finds count on."""
    numbers: dict[str, list[str]] = {}
    for placeholder in dict.fromkeys(_PLACEHOLDER.findall(text)):
        kind = placeholder[1:].partition("_")[0].lower()
        numbers.setdefault(kind, []).append(placeholder)
    return numbers


def _placeholder(find: _Find, numbers: dict[str, list[str]]) -> str:
    values = numbers.setdefault(find.kind, [])
    if find.value not in values:
        values.append(find.value)
    return f"[{find.kind.upper()}_{values.index(find.value) + 1}]"
