"""Every error reply has one shape: RFC 9457 problem+json, with a request id, never with input.

The `type` is a path of the manual's error page; a test compares the two lists. Below /v1 the same
errors take OpenAI's shape, because its clients read no other.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from chatloop.core.errors import ChatloopError, DataError, ReleaseError, SettingsError, StoreError

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
OPENAI_PATH = "/v1/"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of error: its HTTP status and title."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "bad-request": Kind(400, "The request cannot be read"),
    "forbidden": Kind(403, "This is not allowed from here"),
    "not-found": Kind(404, "There is no such thing"),
    "model-not-found": Kind(404, "There is no such model"),
    "method-not-allowed": Kind(405, "This address does not take that method"),
    "conflict": Kind(409, "This does not fit the present state"),
    "too-large": Kind(413, "The request is too large"),
    "invalid": Kind(422, "A field is not valid"),
    "data": Kind(422, "The data cannot be used"),
    "release": Kind(409, "The release cannot be used"),
    "no-model": Kind(503, "No model is loaded yet"),
    "store": Kind(503, "The store cannot be reached now"),
    "job-failed": Kind(500, "The retraining job failed"),
    "internal": Kind(500, "Something went wrong here"),
}
_OF_STATUS = {400: "bad-request", 403: "forbidden", 404: "not-found", 405: "method-not-allowed",
              409: "conflict", 413: "too-large", 422: "invalid"}  # fmt: skip
_OF_ERROR: tuple[tuple[type[ChatloopError], str], ...] = (
    (ReleaseError, "release"),
    (StoreError, "store"),
    (DataError, "data"),
    (SettingsError, "internal"),
)


class Problem(Exception):  # noqa: N818 - the RFC's own word
    """An error reply. `detail` says what to do; it never holds text from the request."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})


def problem_body(problem: Problem, request_id: str) -> dict[str, Any]:
    """Return the JSON of an error reply."""
    kind = KINDS[problem.kind]
    body: dict[str, Any] = {
        "type": f"/manual/reference/errors/#{problem.kind}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    return body | ({"errors": problem.errors} if problem.errors else {})


def openai_body(problem: Problem) -> dict[str, Any]:
    """Return the JSON of an error reply as OpenAI's clients know it; its ids use underscores."""
    server = KINDS[problem.kind].status >= 500
    return {
        "error": {
            "message": problem.detail,
            "type": "server_error" if server else "invalid_request_error",
            "param": problem.errors[0]["field"] if problem.errors else None,
            "code": problem.kind.replace("-", "_"),
        }
    }


def add_problem_handlers(app: FastAPI) -> None:
    """Turn every error of the app into one problem reply."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(ChatloopError, _on_our_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Exception, _on_fault)


def reply(request: Request, problem: Problem) -> JSONResponse:
    """Return the reply to a problem. OpenAI knows no 422: what is not valid is 400 there."""
    request_id = str(request.scope.get("chatloop.request_id", ""))
    status = KINDS[problem.kind].status
    if request.url.path.startswith(OPENAI_PATH):
        known = 400 if status == 422 else status
        return JSONResponse(openai_body(problem), known, headers=problem.headers)
    body = problem_body(problem, request_id)
    return JSONResponse(body, status, headers=problem.headers, media_type=MEDIA_TYPE)


def of_error(error: ChatloopError) -> Problem:
    """Translate an error of the house."""
    kind = next((k for cls, k in _OF_ERROR if isinstance(error, cls)), "internal")
    return Problem(kind, str(error))


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return reply(request, error)


async def _on_our_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ChatloopError)
    return reply(request, of_error(error))


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = _OF_STATUS.get(
        error.status_code, "bad-request" if error.status_code < 500 else "internal"
    )
    detail = HTTPStatus(error.status_code).description or KINDS[kind].title
    return reply(request, Problem(kind, detail, headers=error.headers or {}))


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(str(p) for p in e["loc"][1:]) or str(e["loc"][0]), "message": e["msg"]}
        for e in error.errors()
    ]
    return reply(request, Problem("invalid", "see `errors`", errors=errors))


async def _on_fault(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed", exc_info=error)
    return reply(request, Problem("internal", "The fault was logged under this request id."))
