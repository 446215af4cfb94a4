"""A log of interactions as a stream of objects: what was in each line, and what was found in it.

Works on our telemetry and on foreign logs with a `prompt` and an `answer`. No text leaves it
unredacted. Detector, redaction and anomaly rules are given, so that it knows no guard.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from chatloop.loop.monitor.lines import BOM

_MACHINE_MADE = ("turn_id", "user", "session", "model_version")
"""Fields of our own lines that hold ids, in which a guard would only find chance matches."""

_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9._-]{1,80}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")


@dataclass(frozen=True, slots=True)
class Finders:
    """How texts are read: kinds of personal data, safe text, rules broken by text and score."""

    detect: Callable[[str], tuple[str, ...]]
    redact: Callable[[str], str]
    anomalies: Callable[[str, float | None], tuple[str, ...]] | None = None


def stream(lines: Iterable[bytes], finders: Finders) -> Iterator[dict[str, Any]]:
    """Yield one JSON-ready object a line: its fields, redacted, and what was found.

    Always there: `latency_ms` (float or null), `pii_detected` (kinds in `prompt` and `answer`),
    `anomaly_reason` (list), `error` (text or null). A line that is no JSON object gives
    `error: "unreadable line N"`; empty lines are passed over.
    """
    for number, raw in enumerate(lines, start=1):
        line = raw.removeprefix(BOM).strip()
        if not line:
            continue
        fields = _fields(line)
        if fields is None:
            yield _object({}, {}, (), error=f"unreadable line {number}")
        else:
            yield _read(fields, finders)


def _fields(line: bytes) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _read(fields: dict[str, Any], finders: Finders) -> dict[str, Any]:
    ours = "schema_version" in fields
    kinds = {}
    for where in ("prompt", "answer"):
        known = _texts(fields.get(f"pii_{where}")) if ours else []
        kinds[where] = list(dict.fromkeys([*known, *finders.detect(_text(fields.get(where)))]))
    safe = _redacted(fields, finders, ours=ours)
    error = safe.get("error")
    return _object(safe, kinds, _reasons(fields, finders, ours=ours), error=_text(error) or None)


def _object(
    fields: dict[str, Any],
    kinds: dict[str, list[str]],
    reasons: Iterable[str],
    *,
    error: str | None,
) -> dict[str, Any]:
    return {
        **fields,
        "latency_ms": _number(fields.get("latency_ms")),
        "pii_detected": {"prompt": kinds.get("prompt", []), "answer": kinds.get("answer", [])},
        "anomaly_reason": list(reasons),
        "error": error,
    }


def _reasons(fields: dict[str, Any], finders: Finders, *, ours: bool) -> list[str]:
    """Our own lines were judged on the text as it came, which a redacted one cannot repeat."""
    if ours or finders.anomalies is None:
        return [finders.redact(reason) for reason in _texts(fields.get("anomaly_reason"))]
    confidence = _number(fields.get("confidence"))
    return list(finders.anomalies(_text(fields.get("prompt")), confidence))


def _redacted(fields: dict[str, Any], finders: Finders, *, ours: bool) -> dict[str, Any]:
    safe = {}
    for name, value in fields.items():
        keep = ours and name in _MACHINE_MADE and isinstance(value, str) and _ID.fullmatch(value)
        safe[_safe_name(name, finders)] = value if keep else _safe(value, finders)
    return safe


def _safe(value: Any, finders: Finders) -> Any:
    """`value` with every text in it redacted, at any depth."""
    if isinstance(value, str):
        return value if _TIMESTAMP.fullmatch(value) else finders.redact(value)
    if isinstance(value, list):
        return [_safe(item, finders) for item in value]
    if isinstance(value, dict):
        return {_safe_name(k, finders): _safe(v, finders) for k, v in value.items()}
    return value


def _safe_name(name: str, finders: Finders) -> str:
    return name if _FIELD.fullmatch(name) else finders.redact(name)


def _text(value: Any) -> str:
    """A text as it is, nothing for null and false, anything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None or value is False else msgspec.json.encode(value).decode()


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str) and item]


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
