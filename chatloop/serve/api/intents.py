"""POST /predict_intent and GET /intents."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from chatloop.core.types import OOS, Intent
from chatloop.serve.api.bodies import read_body
from chatloop.serve.api.docs import errors, json_reply, takes
from chatloop.serve.api.problems import Problem
from chatloop.serve.api.schemas import PredictIn
from chatloop.serve.api.state import State, app_state, state_of
from chatloop.turn.classify_explain import explain
from chatloop.turn.receive import normalise
from chatloop.turn.turn import Turn

router = APIRouter(tags=["intents"])
Shared = Annotated[State, Depends(state_of)]


@router.post("/predict_intent", **takes(PredictIn))
async def predict_intent(request: Request) -> Response:
    """Say which intent a text has, with calibrated confidence, without answering it.

    Nothing is logged. `in_scope` is false when out-of-scope is the likeliest. With `explain`,
    each of the top intents comes with what every word adds to its logit, out-of-scope first
    when it won.
    """
    state = app_state(request)
    body = await read_body(request, PredictIn)
    turn, limit = state.turn(), state.settings.prompt_limit_chars
    texts = body.prompts if body.prompts is not None else [body.prompt or ""]
    if any(len(text) > limit for text in texts):
        raise Problem("too-large", f"a text may have at most {limit} characters")
    found = [_prediction(turn, text, explained=body.explain) for text in texts]
    policy = turn.policy
    promise = {
        "threshold": policy.threshold,
        "certified": policy.certified,
        "promise": turn.promise,
    }
    shared = promise | {"model_version": turn.version}
    return json_reply(({"predictions": found} if body.prompts is not None else found[0]) | shared)


def _prediction(turn: Turn, text: str, *, explained: bool) -> dict[str, Any]:
    guarded = turn.guard(normalise(text)).text
    intent: Intent = turn.classify(guarded)
    found: dict[str, Any] = {
        "intent": intent.label,
        "confidence": intent.confidence,
        "in_scope": intent.in_scope,
        "top": intent.top,
    }
    if explained:
        labels = [score.intent for score in intent.top]
        if not intent.in_scope and labels:
            labels.insert(0, OOS)
        reasons = explain(turn.classify, guarded, labels)
        found["explanation"] = reasons
    return found


@router.get("/intents", responses=errors(503))
async def intents(state: Shared) -> dict[str, Any]:
    """List the intents of the current release, each with the question that offers it."""
    turn = state.turn()
    content = turn.ladder.content
    entries = [
        {"intent": i, "question": content.question(i), "answered": content.has_answer(i)}
        for i in content.approved
    ]
    return {"intents": entries, "model_version": turn.version}
