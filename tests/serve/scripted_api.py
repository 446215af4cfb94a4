"""A scripted stand-in of the HTTP API, over a real loopback socket, for tests of its clients."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import ASGIApp

Json = dict[str, Any]

RELEASES = [
    {
        "version": "20261121-090000-ab12cd", "created_at": "2026-11-21T09:00:00Z",
        "accuracy": 0.943, "accuracy_interval": [0.917, 0.963], "macro_f1": 0.938,
        "rows": 2412, "intents": 40, "current": True,
    },
    {
        "version": "20261114-081500-77fe01", "created_at": "2026-11-14T08:15:00Z",
        "accuracy": 0.931, "accuracy_interval": [0.903, 0.953], "macro_f1": 0.924,
        "rows": 2380, "intents": 39, "current": False,
    },
]  # fmt: skip
RESULT = {
    "old_version": RELEASES[0]["version"],
    "new_version": "20261121-101500-99aa00",
    "rows": {
        "used": 2418,
        "feedback": 6,
        "held": 1,
        "refused": 0,
        "waiting": {"gift_cards": "3 of 5"},
    },
    "metrics": {"old": {"accuracy": {"value": 0.943}}, "new": {"accuracy": {"value": 0.947}}},
    "gate": {
        "verdict": "accepted",
        "checks": [
            {"name": "accuracy", "passed": True, "detail": "0.947 against 0.943, margin 0.010"},
            {"name": "golden_phrases", "passed": True, "detail": "25 of 25 as before"},
        ],
    },
    "promoted": True,
    "workers": {"on_new": 1, "live": 1},
    "message": "release 20261121-101500-99aa00 is served now",
}
LLM_READY = {"state": "ready", "model": "llama3.2", "hint": ""}
LLM_AWAY = {
    "state": "away",
    "model": "",
    "hint": "Start it with `ollama serve`; then `ollama pull llama3.2`",
}


def done(answer: str, **changes: Any) -> Json:
    """The body of a reply: a sure local one unless `changes` say otherwise."""
    body: Json = {
        "answer": answer,
        "chosen_model": "local",
        "latency_ms": 0.84,
        "intent": "reset_password",
        "confidence": 0.978,
        "anomaly": False,
        "anomaly_reason": [],
        "turn_id": "01TESTTURN",
        "route": {"arm": "local", "answered_by": "approved", "reason": "sure", "pscore": 1.0,
                  "threshold": 0.72, "certified": True},
        "sources": [{"page": "reset-password", "title": "Reset your password",
                     "heading": "Ask for a link", "anchor": "ask",
                     "url": "/help/reset-password#ask"}],
        "suggestions": [],
        "supported": None,
        "prompt_cut": False,
        "remote": False,
        "hand_over": None,
        "guard": {"pii": [], "flags": []},
        "usage": None,
        "degraded": False,
        "degraded_reason": None,
        "interrupted": False,
        "model_version": RELEASES[0]["version"],
    }  # fmt: skip
    return {**body, **changes}


def from_llm(answer: str) -> Json:
    """A reply in the words of the language model."""
    route = {"arm": "local", "answered_by": "llm", "reason": "unsure"}
    return done(
        answer, chosen_model="llm/llama3.2", route=route, latency_ms=1834.0, confidence=0.41,
        intent="integrations", turn_id="01LLMTURN",
    )  # fmt: skip


def from_help_page(answer: str) -> Json:
    """A reply while the language model is away, with ways out."""
    route = {"arm": "local", "answered_by": "passage", "reason": "out_of_scope"}
    suggestions = [
        {"text": "How do I change my plan?", "intent": "upgrade_plan"},
        {"text": "Would you like to talk to a person?", "intent": "person"},
    ]
    return done(
        answer, chosen_model="fallback", route=route, degraded=True, confidence=0.22,
        degraded_reason="llm_unreachable", suggestions=suggestions, turn_id="01PASSAGETURN",
    )  # fmt: skip


def handed_over(answer: str, reason: str = "asked_for_person") -> Json:
    """A reply that ends in a ticket for a person."""
    route = {"arm": "forced", "answered_by": "hand_over", "reason": reason}
    return done(
        answer, route=route, hand_over={"reason": reason, "ticket": "T-7K3M9P"}, sources=[],
        turn_id="01PERSONTURN",
    )  # fmt: skip


@dataclass
class Script:
    """What the stand-in answers, what it was asked, and in which answers its client `left`."""

    llm: Json = field(default_factory=lambda: dict(LLM_READY))
    replies: dict[str, Json] = field(default_factory=dict)
    default: Json = field(default_factory=lambda: done("You can reset it on the sign-in page."))
    problem: Json | None = None
    piece_delay_s: float = 0.0
    jobs: list[Json] = field(default_factory=lambda: _job_states(RESULT))
    chats: list[Json] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    feedback: list[Json] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    rollbacks: int = 0
    polls: int = 0
    retrains: list[Json] = field(default_factory=list)
    windows: list[str] = field(default_factory=list)
    turns: int = 1284
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def note(self, notes: list[Any], value: Any) -> None:
        """Remember what was asked, and wake who waits for it."""
        with self.arrived:
            notes.append(value)
            self.arrived.notify_all()

    def wait_for(self, notes: list[Any], count: int = 1, timeout_s: float = 20) -> list[Any]:
        """Return `notes` once it holds `count` entries; fails after the time."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(notes) >= count, timeout_s), notes
            return list(notes)


def _job_states(result: Json) -> list[Json]:
    running = [("prepare", 0.1), ("train", 0.45), ("evaluate", 0.8)]
    states: list[Json] = [
        {"job_id": "j1", "state": "running", "stage": stage, "progress": progress}
        for stage, progress in running
    ]
    return [*states, {"job_id": "j1", "state": "done", "progress": 1.0, "result": result}]


def make_app(script: Script) -> FastAPI:
    """Return the stand-in as an ASGI app."""

    def remember(request: Request) -> None:
        script.headers.append(dict(request.headers))

    app = FastAPI(dependencies=[Depends(remember)])

    @app.post("/chat/stream")
    async def chat_stream(request: Request) -> Any:
        body = await request.json()
        script.note(script.chats, body)
        if script.problem is not None:
            return JSONResponse(script.problem, script.problem["status"])
        reply = script.replies.get(body["prompt"], script.default)
        events = _events(reply, script, body["prompt"])
        return StreamingResponse(events, media_type="text/event-stream")

    @app.post("/submit_feedback")
    async def submit_feedback(request: Request) -> Any:
        script.note(script.feedback, await request.json())
        return {"feedback_id": "f1", "status": "accepted", "message": "Taken: it counts."}

    @app.post("/retrain")
    async def retrain(request: Request) -> Any:
        script.polls = 0
        script.note(script.retrains, await request.json())
        return JSONResponse({"job_id": "j1"}, 202, headers={"Location": "/retrain/j1"})

    @app.get("/retrain/{job}")
    async def job(job: str) -> Any:
        script.polls += 1
        return script.jobs[min(script.polls, len(script.jobs)) - 1]

    @app.get("/metrics")
    async def metrics(window: str) -> Any:
        script.note(script.windows, window)
        return _metrics(script, window)

    _add_plain_routes(app, script)
    return app


def _add_plain_routes(app: FastAPI, script: Script) -> None:
    @app.get("/health")
    async def health() -> Any:
        return {"status": "ok", "llm": script.llm, "model_version": RELEASES[0]["version"]}

    @app.get("/intents")
    async def intents() -> Any:
        names = ("reset_password", "get_invoice", "refund_request", "integrations")
        return {"intents": [{"intent": name, "question": f"About {name}?"} for name in names]}

    @app.get("/models")
    async def models() -> Any:
        return {"current": RELEASES[0]["version"], "models": RELEASES, "history": []}

    @app.post("/rollback")
    async def rollback() -> Any:
        script.rollbacks += 1
        return {"version": RELEASES[1]["version"], "previous": RELEASES[0]["version"]}


async def _events(reply: Json, script: Script, prompt: str) -> AsyncIterator[str]:
    try:
        for word in reply["answer"].split(" "):
            yield f"event: token\ndata: {json.dumps({'text': word + ' '})}\n\n"
            await asyncio.sleep(script.piece_delay_s)
    except asyncio.CancelledError:
        script.note(script.left, prompt)
        raise
    yield f"event: done\ndata: {json.dumps(reply)}\n\n"


def _metrics(script: Script, window: str) -> Json:
    now = int(time.time())
    return {
        "window": window,
        "turns": script.turns,
        "share_local": 0.71,
        "share_degraded": 0.04,
        "share_pii": 0.06,
        "latency_ms": {"mean": 220.0, "p50": 1.2, "p95": 1450.0, "p99": 3100.0},
        "satisfaction": 0.88,
        "by": {
            "intent": {"reset_password": 214, "get_invoice": 160, "refund_request": 131,
                       "integrations": 122, "plan_pricing": 97, "api_keys": 71, "none": 42},
            "answered_by": {"approved": 911, "llm": 322, "passage": 51},
        },
        "series": [
            {"t": now - 60 * (60 - minute), "turns": 18 + (minute * 7) % 11,
             "local": 12 + (minute * 5) % 7, "p50_ms": 1.0 + minute % 5 / 5,
             "p95_ms": 1200.0 + (minute * 37) % 400}
            for minute in range(60)
        ],
    }  # fmt: skip


@contextmanager
def serving(app: ASGIApp, port: int = 0) -> Iterator[int]:
    """Serve `app` on a loopback port in a thread; yields the port once it accepts."""
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
