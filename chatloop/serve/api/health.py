"""GET /healthz, /readyz and /health."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from chatloop import __version__
from chatloop.serve.api.docs import errors
from chatloop.serve.api.state import State, state_of
from chatloop.serve.doctor.base import Finding
from chatloop.serve.doctor.head import has_failed, on_wire
from chatloop.serve.learned import describe as describe_learned
from chatloop.serve.llms import best_of
from chatloop.turn.turn import Turn

router = APIRouter(tags=["health"])
Shared = Annotated[State, Depends(state_of)]
ON, DEGRADED, NOT_READY = "ok", "degraded", "not_ready"


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": ON}


@router.get("/readyz", responses=errors(503))
async def readyz(state: Shared) -> JSONResponse:
    """Say whether messages can be answered: a model is loaded. An absent LLM is no reason."""
    ready = state.live.turn is not None
    return JSONResponse({"status": ON if ready else NOT_READY}, 200 if ready else 503)


@router.get("/health", responses=errors(503))
async def health(state: Shared, request: Request) -> JSONResponse:
    """Say how things are: release, language model, log, and what to do about what is not well."""
    findings = await state.checkup.findings(state.settings)
    body = describe(state, findings, in_full=state.is_trusted(request))
    return JSONResponse(body, 503 if body["status"] == NOT_READY else 200)


def describe(state: State, findings: list[Finding], *, in_full: bool) -> dict[str, Any]:
    """Return the details of /health; not `in_full`, without what the checks found."""
    writer, turn = state.house.writer, state.live.turn
    llm = _llm(state)
    well = writer.healthy and state.live.problem is None and llm["state"] in {"ready", "off"}
    well = well and not has_failed(findings) and not state.desk.failing
    return {
        "status": NOT_READY if turn is None else ON if well else DEGRADED,
        "checks": on_wire(findings, in_full=in_full),
        "version": __version__,
        "model_version": state.live.version,
        "model_problem": state.live.problem,
        "threshold": turn.policy.threshold if turn else None,
        "certified": turn.policy.certified if turn else False,
        "promise": turn.promise if turn else None,
        "ab_prob": state.settings.ab_prob,
        "llm": llm,
        "learned": _learned(state, turn) if turn else None,
        "log": {
            "healthy": writer.healthy,
            "written": writer.written,
            "dropped": writer.dropped,
            "torn_tails": writer.torn_tails,
            "problem": writer.last_error if not writer.healthy else None,
        },
        "tickets": state.desk.status(),
        "uptime_s": round(time.time() - state.started, 1),
        "pid": os.getpid(),
    }


def _learned(state: State, turn: Turn) -> dict[str, Any]:
    """What ratings moved: the hint, and the votes on each language model."""
    learned = state.house.learned
    described = describe_learned(learned.known(turn.version), turn.ladder.content.hints)
    return described | {"problem": learned.problem}


def _llm(state: State) -> dict[str, Any]:
    """The model that stands for all (the first that can be asked), and each one under `models`."""
    statuses = [model.status() for model in state.house.models]
    best = best_of(statuses)
    if best is None:
        hint = "set CHATLOOP_LLM=auto to use a local Ollama"
        return {"state": "off", "model": None, "hint": hint, "remote": False, "models": []}
    setting = "CHATLOOP_LLM chooses another model, OLLAMA_API_URL another server"
    return asdict(best) | {"setting": setting, "models": [asdict(status) for status in statuses]}
