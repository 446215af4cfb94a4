"""Takes e-mail addresses, phone numbers and card numbers out of a text, before anything sees it.

Covers those three kinds, in plain spelling. Does not cover names, postal addresses, or disguised
spellings. Each find becomes a numbered placeholder such as `[EMAIL_1]`; the same value gets the
same number within one text, so the sense of a message survives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import phonenumbers
from stdnum import luhn

from chatloop.core.types import Verdict

EMAIL, PHONE, CARD = "email", "phone", "card"
_MIN_PHONE_DIGITS, _MAX_PHONE_DIGITS = 7, 15
_GROUPS_TOO_MANY = 3
_CHECKED_RUNS = 12
"""Runs of digits that are held against real numbering plans; later ones go by shape alone, so
that a text made of numbers costs no more than a few milliseconds and still shows none."""


_GAP = "[ ./()\u00a0\u2009\u202f\u2010-\u2013-]"
# Bounded repeats keep every pattern linear in the length of the text.
_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-][\w.+'&%-]{0,63}@(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{0,61}\w(?!\w)"
)
_DIGIT_RUN = re.compile(rf"(?<![\w.])(?:\+|00)?\(?\d(?:{_GAP}{{0,3}}\d){{6,22}}(?!\w)")
_CARD = re.compile(
    rf"(?<!\d)(?:\d{{13,19}}|\d{{4}}{_GAP}{{1,3}}(?:\d{{6}}{_GAP}{{1,3}}\d{{4,5}}"
    rf"|(?:\d{{4}}{_GAP}{{1,3}}){{2}}\d{{4}}))(?!\w)"
)
_GROUP, _GAPS = re.compile(r"\d+"), re.compile(rf"{_GAP}+")
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
_NO_PHONE = re.compile(  # a date, an IP address, years in a row, an amount in thousands
    r"^(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})|^\d{1,3}(?:\.\d{1,3}){3}$"
    rf"|^(?:19|20)\d\d(?:{_GAP}{{1,3}}(?:19|20)\d\d)+$|^\d{{1,3}}(?:[ .]\d{{3}})*[ .]000$"
)
_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "IN", "AU", "BR", "MX")


@dataclass(frozen=True, slots=True)
class _Find:
    start: int
    end: int
    kind: str
    value: str


def redact(text: str) -> Verdict:
    """Return `text` with each find replaced, and the kinds found in order. Idempotent.

    Repeated until nothing is found, because a placeholder is short: it may bring a number near
    to the word that names it.
    """
    numbers, checks = _taken_numbers(text), iter(range(_CHECKED_RUNS))
    kinds: dict[str, None] = {}
    while finds := _without_overlap(sorted(_finds(text, checks), key=lambda f: (f.start, -f.end))):
        pieces, last = [], 0
        for find in finds:
            pieces += [text[last : find.start], _placeholder(find, numbers)]
            last = find.end
        text = "".join(pieces) + text[last:]
        kinds |= dict.fromkeys(f.kind for f in finds)
    return Verdict(text, tuple(kinds))


def find_kinds(text: str) -> tuple[str, ...]:
    """Return which kinds of personal data `text` holds."""
    return redact(text).kinds


def _finds(text: str, checks: Iterator[int]) -> Iterator[_Find]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield _Find(match.start(), match.end(), EMAIL, match.group().lower())
    for match in _CARD.finditer(text):
        digits = _digits(match.group())
        if luhn.is_valid(digits):
            yield _Find(match.start(), match.end(), CARD, digits)
    for match in _DIGIT_RUN.finditer(text):
        for start, run in _parts(match.start(), match.group()):
            if find := _number(text, start, run, checks):
                yield find


def _digits(run: str) -> str:
    return "".join(str(int(c)) for c in run if c.isdecimal())


def _parts(start: int, run: str) -> list[tuple[int, str]]:
    """Two numbers side by side (`030 901820 / 0171 1234567`) look like one that is too long."""
    if len(_digits(run)) <= _MAX_PHONE_DIGITS or not _SHAPED.match(run):
        return [(start, run)]
    for gap in _GAPS.finditer(run):
        left, right = run[: gap.start()], run[gap.end() :]
        forms = [[len(group) for group in _GROUP.findall(side)] for side in (left, right)]
        both_long = min(map(sum, forms)) >= _MIN_PHONE_DIGITS
        if both_long and (right.startswith("0") or forms[0] == forms[1]):
            return [(start, left), (start + gap.end(), right)]
    return [(start, run)]


def _number(text: str, start: int, run: str, checks: Iterator[int]) -> _Find | None:
    """Card by length and Luhn; phone by its own shape or by the words before it.

    When the checks are used up, the shape or the word alone makes a phone number.
    """
    digits = _digits(run)
    if _NO_PHONE.match(run):
        return None
    if _is_card(run, digits):
        return _Find(start, start + len(run), CARD, digits)
    before = text[max(0, start - 32) : start]
    named = bool(_PHONE_WORD.search(before))
    if _REFERENCE.search(before) and not run.startswith("+") and not named:
        return None
    if not named and not _SHAPED.match(run):
        return None
    phone = run if next(checks, None) is None else _phone(run, named=named)
    return _Find(start, start + len(phone), PHONE, _digits(phone)) if phone else None


def _is_card(run: str, digits: str) -> bool:
    """Written in one piece, in even groups, or at least without stray single digits."""
    lengths = [len(group) for group in _GROUP.findall(run)]
    grouped = min(lengths) >= 3 or len({*lengths[:-1]}) == 1
    return 13 <= len(digits) <= 19 and grouped and not run.startswith("+") and luhn.is_valid(digits)


def _phone(run: str, *, named: bool) -> str:
    """Return the number that the run begins with; empty when there is none.

    What follows a number may look like a part of it (`202-555-0143 24/7`), so the longest
    beginning that is valid counts, else the longest that is possible when a word names it or
    a `+` leads.
    """
    ends = [group.end() for group in _GROUP.finditer(run)][: -1 - _GROUPS_TOO_MANY : -1]
    possible = ""
    for phone in (run[:end] for end in ends):
        if not _MIN_PHONE_DIGITS <= len(_digits(phone)) <= _MAX_PHONE_DIGITS:
            continue
        for number in _parsed(phone):
            if phonenumbers.is_valid_number(number):
                return phone
            if not possible and (named or phone.startswith(("+", "00"))):
                possible = phone if phonenumbers.is_possible_number(number) else ""
    return possible


def _parsed(phone: str) -> Iterator[phonenumbers.PhoneNumber]:
    if phone.startswith("00"):
        phone = "+" + phone[2:]
    for region in (None,) if phone.startswith("+") else _REGIONS:
        with suppress(phonenumbers.NumberParseException):
            yield phonenumbers.parse(phone, region)


def _without_overlap(finds: list[_Find]) -> list[_Find]:
    kept: list[_Find] = []
    for find in finds:
        if not kept or find.start >= kept[-1].end:
            kept.append(find)
    return kept


def _taken_numbers(text: str) -> dict[str, dict[str, int]]:
    """Placeholders that the text brought along keep their numbers: new finds count on."""
    numbers: dict[str, dict[str, int]] = {}
    for placeholder in _PLACEHOLDER.findall(text):
        kind, _, number = placeholder[1:-1].partition("_")
        numbers.setdefault(kind.lower(), {})[placeholder] = int(number)
    return numbers


def _placeholder(find: _Find, numbers: dict[str, dict[str, int]]) -> str:
    taken = numbers.setdefault(find.kind, {})
    number = taken.setdefault(find.value, max(taken.values(), default=0) + 1)
    return f"[{find.kind.upper()}_{number}]"
