"""POST /chat and POST /chat/stream."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from fastapi.sse import format_sse_event

from chatloop.core.types import Exchange, Incoming, Source
from chatloop.serve.api.bodies import read_body
from chatloop.serve.api.docs import json_reply, takes
from chatloop.serve.api.leaving import nobody_there, while_here
from chatloop.serve.api.problems import Problem, problem_body
from chatloop.serve.api.schemas import ChatIn, ChatOut
from chatloop.serve.api.state import State, app_state
from chatloop.turn.turn import Outcome, Turn

log = logging.getLogger(__name__)
router = APIRouter(tags=["chat"])
VERSION_HEADER = "X-Chatloop-Model-Version"
DEGRADED_HEADER = "X-Chatloop-Degraded"


@router.post("/chat", response_model=ChatOut, **takes(ChatIn))
async def chat(request: Request) -> Response:
    """Answer one message.

    The intent model answers what it is sure of; a language model answers the rest from the help
    pages; a labelled fallback takes over when it is away (`degraded`).
    """
    turn, incoming = await _begin(request)
    outcome = await while_here(request, app_state(request).conversations.take(turn, incoming))
    if outcome is None:
        return nobody_there()
    return json_reply(reply_of(outcome), headers_of(outcome))


@router.post("/chat/stream", **takes(ChatIn, gives="text/event-stream"))
async def chat_stream(request: Request) -> StreamingResponse:
    """Answer one message piece by piece (server-sent events).

    `token` events carry `{"text": ...}`; one `done` event closes with the body of /chat, or one
    `error` event with a problem. `done.answer` is the truth.
    """
    turn, incoming = await _begin(request)
    return event_stream(_events(app_state(request), turn, incoming), turn.version)


def event_stream(events: AsyncGenerator[bytes, None], version: str) -> StreamingResponse:
    """Return a reply that no proxy may hold back or keep."""
    headers = {VERSION_HEADER: version, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _events(state: State, turn: Turn, incoming: Incoming) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(state.conversations.stream(turn, incoming)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Outcome):
                    yield _event("done", reply_of(piece))
                else:
                    yield _event("token", {"text": piece})
    except Exception:
        log.exception("a stream ended in a fault")
        problem = Problem("internal", "The fault was logged under this request id.")
        yield _event("error", problem_body(problem, incoming.request_id))


def _event(name: str, data: dict[str, Any]) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(data, ensure_ascii=False))


async def _begin(request: Request) -> tuple[Turn, Incoming]:
    state = app_state(request)
    body = await read_body(request, ChatIn)
    return state.turn(), incoming_of(body, state, request.scope["chatloop.request_id"])


def incoming_of(body: ChatIn, state: State, request_id: str) -> Incoming:
    """Return the message that a body holds; raises Problem when it may not be asked so."""
    limit = state.settings.prompt_limit_chars
    if len(body.prompt) > limit:
        raise Problem("too-large", f"a message may have at most {limit} characters")
    return Incoming(
        prompt=body.prompt,
        mode=body.mode,
        ab_prob=body.ab_prob,
        llm_model=_llm_model(body.llm_model, state) if body.llm_model else None,
        user_id=body.user_id,
        session_id=body.session_id,
        history=tuple(Exchange(line.role, line.content) for line in body.history),
        request_id=request_id,
        suggested_intent=body.suggested_intent,
        hint_rung=body.hint_rung,
    )


def _llm_model(wanted: str, state: State) -> str:
    """Return the model of that name as it calls itself; raises Problem with those that may be."""
    if not state.settings.llm_model_allowed:
        raise _refused("the choice is switched off here (llm_model_allowed); leave it out")
    models = state.turn().ladder.models
    found = models.named(wanted)
    if found is None:
        names = ", ".join(model.name for model in models.models) or "there is none"
        raise _refused(f"no such language model; choose from: {names}")
    return found.name


def _refused(message: str) -> Problem:
    error = {"field": "llm_model", "message": message}
    return Problem("invalid", f"llm_model: {message}", errors=[error])


def headers_of(outcome: Outcome) -> dict[str, str]:
    """Return the headers that say which release answered, and what was missing."""
    record = outcome.record
    degraded = {DEGRADED_HEADER: record.degraded_reason or "yes"} if record.degraded else {}
    return {VERSION_HEADER: record.model_version, **degraded}


def reply_of(outcome: Outcome) -> dict[str, Any]:
    """Return the body of a reply: the record as the caller may see it."""
    r = outcome.record
    route = ("arm", "answered_by", "reason", "pscore", "threshold", "certified")
    return {
        "answer": outcome.text,
        "chosen_model": r.chosen_model,
        "latency_ms": r.latency_ms,
        "intent": r.intent,
        "confidence": r.confidence,
        "anomaly": r.anomaly,
        "anomaly_reason": r.anomaly_reason,
        "turn_id": r.turn_id,
        "route": {name: getattr(r, name) for name in route},
        "sources": [_source(s) for s in r.sources],
        "suggestions": [asdict(s) for s in r.suggestions],
        "guard": {"pii": r.pii_prompt, "flags": r.flags},
        "usage": asdict(r.usage) if r.usage else None,
        "context": r.context,
        "supported": r.supported,
        "prompt_cut": r.prompt_cut,
        "remote": r.remote,
        "hand_over": {"reason": r.hand_over, "ticket": outcome.ticket} if r.hand_over else None,
        "degraded": r.degraded,
        "degraded_reason": r.degraded_reason,
        "interrupted": r.interrupted,
        "model_version": r.model_version,
    }


def _source(source: Source) -> dict[str, str | int]:
    anchor = f"#{source.anchor}" if source.anchor else ""
    return {
        "page": source.page,
        "title": source.title,
        "heading": source.heading,
        "anchor": source.anchor,
        "start": source.start,
        "end": source.end,
        "url": f"/help/{source.page}{anchor}",
    }
