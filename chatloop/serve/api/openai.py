"""POST /v1/chat/completions and GET /v1/models: the bot for any client that speaks OpenAI's API.

The same turn as /chat. Instructions of the caller (system, developer) are read and not followed:
how the bot answers is the company's choice. Any `Authorization` is accepted, as there are no keys.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from chatloop.core.types import Incoming, Mode
from chatloop.serve.api.bodies import check, read_body
from chatloop.serve.api.chat import event_stream, headers_of, incoming_of
from chatloop.serve.api.docs import json_reply, schema_of
from chatloop.serve.api.leaving import nobody_there, while_here
from chatloop.serve.api.openai_schemas import Chunks, CompletionIn, completion
from chatloop.serve.api.problems import OPENAI_PATH, Problem, openai_body
from chatloop.serve.api.schemas import ChatIn
from chatloop.serve.api.state import State, app_state, state_of
from chatloop.turn.answer.llm.discover import AUTO
from chatloop.turn.turn import Outcome, Turn

log = logging.getLogger(__name__)
router = APIRouter(prefix=OPENAI_PATH.rstrip("/"), tags=["openai"])
Shared = Annotated[State, Depends(state_of)]
LLM = "llm/"
_HISTORY_LINES = 20
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is not valid (OpenAI's error object)"},
    404: {"description": "There is no such model (OpenAI's error object)"},
    503: {"description": "No release is loaded yet (OpenAI's error object)"},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": schema_of(CompletionIn)}},
    }
}


@router.post("/chat/completions", openapi_extra=_BODY, responses=_ERRORS)
async def chat_completions(request: Request) -> Response:
    """Answer the last message of the user, whole or (`stream`) piece by piece.

    What /chat says besides the words stands in the object `chatloop`, in a stream on the chunk
    with the `finish_reason`.
    """
    state = app_state(request)
    body = await read_body(request, CompletionIn)
    turn = state.turn()
    incoming = _incoming(body, turn, state, request.scope["chatloop.request_id"])
    if body.stream:
        return event_stream(_events(state, turn, incoming, body), turn.version)
    outcome = await while_here(request, state.conversations.take(turn, incoming))
    if outcome is None:
        return nobody_there()
    return json_reply(completion(outcome), headers_of(outcome))


@router.get("/models", responses={503: _ERRORS[503]})
async def list_models(state: Shared) -> dict[str, Any]:
    """List what `model` may be."""
    return {"object": "list", "data": [_entry(name, state) for name in _ids(state.turn())]}


@router.get("/models/{model_id:path}", responses={s: _ERRORS[s] for s in (404, 503)})
async def retrieve_model(model_id: str, state: Shared) -> dict[str, Any]:
    """Say whether there is such a model."""
    turn = state.turn()
    _chosen(turn, model_id)
    return _entry(model_id, state)


def _entry(name: str, state: State) -> dict[str, Any]:
    created = int(state.started)
    return {"id": name, "object": "model", "created": created, "owned_by": "chatloop"}


def _ids(turn: Turn) -> list[str]:
    return [Mode.AUTO, Mode.LOCAL, *(f"{LLM}{name}" for name in _names(turn) if name != AUTO)]


def _names(turn: Turn) -> list[str]:
    return [model.name for model in turn.ladder.models.models]


def _chosen(turn: Turn, model: str) -> tuple[Mode, str | None]:
    """Return the mode and the language model that an id stands for; raises Problem.

    As long as a language model has not been seen, its name is not known: then every name stands
    for it, so that a client that names it gets the labelled fallback and no error.
    """
    if model in {Mode.AUTO, Mode.LOCAL}:
        return Mode(model), None
    found = turn.ladder.models.named(model.removeprefix(LLM))
    if not model.startswith(LLM) or (found is None and AUTO not in _names(turn)):
        detail = "there is no such model: GET /v1/models lists all, `auto` is always there"
        raise Problem("model-not-found", detail, errors=[{"field": "model", "message": detail}])
    return Mode.LLM, found.name if found and found.name != AUTO else None


def _incoming(body: CompletionIn, turn: Turn, state: State, request_id: str) -> Incoming:
    mode, llm_model = _chosen(turn, body.model)
    prompt, history = body.conversation(_HISTORY_LINES)
    fields = {
        "prompt": prompt,
        "mode": mode,
        "llm_model": llm_model if state.settings.llm_model_allowed else None,
        "user_id": body.user or None,
        "history": history,
    }
    return incoming_of(check(ChatIn, fields), state, request_id)


async def _events(
    state: State, turn: Turn, incoming: Incoming, body: CompletionIn
) -> AsyncGenerator[bytes, None]:
    chunks = Chunks(
        turn_id=turn.ids.new(),
        model=body.model,
        version=turn.version,
        with_usage=body.with_usage,
    )
    try:
        yield chunks.opening()
        stream = state.conversations.stream(turn, incoming, turn_id=chunks.turn_id)
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if isinstance(piece, Outcome):
                    for event in chunks.closing(piece):
                        yield event
                else:
                    yield chunks.piece(piece)
    except Exception:
        log.exception("a stream ended in a fault")
        problem = Problem("internal", "The fault was logged under this request id.")
        yield chunks.failed(openai_body(problem))
