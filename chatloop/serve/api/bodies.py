"""Reads a request body into a checked model: JSON, or a form, so that plain `curl -d` works.

Bounded while reading; refused with one clear line; what was sent is never echoed. An unknown
field is refused with the nearest known name.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ValidationError

from chatloop.serve.api.problems import Problem

MAX_BODY_BYTES = 256 * 1024
_MAX_ERRORS = 10
_MAX_FORM_FIELDS = 50
M = TypeVar("M", bound=BaseModel)


async def read_body(request: Request, model: type[M]) -> M:
    """Return the body as `model`; raises Problem."""
    return check(model, parse(await _bytes(request), request.headers.get("content-type", "")))


def body_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Return `read_body` as a dependency. The two hot routes call it themselves: it is cheaper."""

    async def read(request: Request) -> M:
        return await read_body(request, model)

    return read


async def _bytes(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            limit = MAX_BODY_BYTES // 1024
            raise Problem("too-large", f"the body may have at most {limit} KiB")
        chunks.append(chunk)
    return b"".join(chunks)


def parse(data: bytes, content_type: str) -> dict[str, Any]:
    """Return the fields of a body. A form is one unless it looks like JSON; `a=` is no value."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem("bad-request", f"the body is not UTF-8 at byte {error.start}") from error
    if not text.strip():
        return {}
    if "x-www-form-urlencoded" in content_type and not text.lstrip().startswith("{"):
        return _form(text)
    try:
        value = _JSON.decode(text)
    except (ValueError, RecursionError) as error:
        where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Problem("bad-request", f"the body is not valid JSON{where}") from error
    if not isinstance(value, dict):
        raise Problem("bad-request", "the body must be a JSON object")
    return value


def _no_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


_JSON = json.JSONDecoder(parse_constant=_no_constant)


def _form(text: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(text, max_num_fields=_MAX_FORM_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError) as error:
        raise Problem("bad-request", "the form cannot be read") from error
    return {name: value for name, value in pairs if value}


def check(model: type[M], fields: dict[str, Any]) -> M:
    """Validate `fields`; raises Problem with one entry a wrong field."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        errors = [_entry(model, e["loc"], e["type"], e["msg"]) for e in found[:_MAX_ERRORS]]
        detail = "; ".join(f"{e['field']}: {e['message']}" for e in errors[:3])
        raise Problem("invalid", detail, errors=errors) from error


def _entry(model: type[BaseModel], loc: tuple[Any, ...], kind: str, text: str) -> dict[str, str]:
    """One wrong field. A name that we do not know is not repeated: it came from outside."""
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(loc[-1])[:80], list(model.model_fields), n=1)
        hint = f"did you mean `{near[0]}`?" if near else "known: " + ", ".join(model.model_fields)
        return {"field": "(unknown)", "message": f"unknown field; {hint}"}
    field = ".".join(str(part) for part in loc) or "body"
    return {"field": field, "message": text.removeprefix("Value error, ")}
