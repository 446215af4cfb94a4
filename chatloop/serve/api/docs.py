"""What the OpenAPI page says about bodies that we read ourselves and about errors; JSON replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Response
from pydantic import BaseModel

from chatloop.serve.api.problems import MEDIA_TYPE

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
_WORDS = {
    400: "The body cannot be read",
    403: "Not allowed from here",
    404: "There is no such thing",
    409: "Does not fit the present state",
    413: "Too large",
    422: "A field is not valid",
    503: "Not ready or not reachable now",
}


def json_reply(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return a reply that is encoded once, without FastAPI's walk through every value."""
    return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route: one problem a status."""
    content = {MEDIA_TYPE: {"schema": _PROBLEM}}
    return {s: {"description": _WORDS[s], "content": content} for s in statuses}


def takes(
    model: type[BaseModel], *, gives: str | None = None, also: tuple[int, ...] = ()
) -> dict[str, Any]:
    """Return the route arguments that document a body of `model`, JSON or form."""
    inline = schema_of(model)
    forms = ("application/json", "application/x-www-form-urlencoded")
    extra: dict[str, Any] = {
        "requestBody": {"required": False, "content": {form: {"schema": inline} for form in forms}}
    }
    responses = errors(400, 413, 422, 503, *also)
    if gives:
        responses = {200: {"content": {gives: {}}, "description": "A stream"}, **responses}
    return {"openapi_extra": extra, "responses": responses}


def schema_of(model: type[BaseModel]) -> Any:
    """Return the JSON schema of a body, without references."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return _inline(schema, schema.pop("$defs", {}))


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    """Put definitions in place of references: the body is read by us, so none are registered."""
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inline(definitions[str(node["$ref"]).rsplit("/", 1)[-1]], definitions)
    return {key: _inline(value, definitions) for key, value in node.items()}
