"""Which characters may be kept: no control characters, no lone surrogates, one kind of line end."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|[\ud800-\udfff]")
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85]")


def printable(text: str) -> str:
    """Return `text` as it can be shown, logged and encoded; everything printable stays."""
    return _CONTROL.sub("", _LINE_ENDS.sub("\n", text))
