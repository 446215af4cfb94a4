"""GET /turns/{turn_id}: the receipt of a decision, recomputed from the release that made it.

Shows the record as it was stored (redacted); it never sees, and cannot restore, what was typed.
What the log does not hold is named in `problem`, not guessed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request

from chatloop.core.errors import ReleaseError
from chatloop.core.release import CERTIFICATE, open_release
from chatloop.core.telemetry import TurnRecord
from chatloop.core.types import Intent, Message, Mode, Plan, Reason, Step
from chatloop.loop.monitor.lookup import find_record
from chatloop.serve.api.docs import errors
from chatloop.serve.api.problems import Problem
from chatloop.serve.api.state import State, state_of
from chatloop.turn.answer.content import Content, load_content
from chatloop.turn.classify import TOLERANCE, Scorer
from chatloop.turn.classify import load as load_scorer
from chatloop.turn.route import Facts, Policy, decide

router = APIRouter(tags=["turns"])
Shared = Annotated[State, Depends(state_of)]
_KEPT_RELEASES = 3
_UNDECIDED = "the turn ended before a decision was made: there is nothing to recompute"
_NO_TEXT = "the text was not stored: the decision cannot be recomputed"


@dataclass(frozen=True, slots=True)
class _Decider:
    """What a release decides with."""

    scorer: Scorer
    content: Content
    certificate: Mapping[str, Any]


@router.get("/turns/{turn_id}", responses=errors(403, 404, 503))
async def turn_receipt(request: Request, turn_id: str, state: Shared) -> dict[str, Any]:
    """Show how a message was decided, and decide it again with the release that it names.

    `same` says whether the recomputed decision equals the recorded one; `differs` names what
    does not. When that release is gone, `problem` says so.
    """
    state.need_local(request)
    if not state.house.ids.valid(turn_id):
        raise Problem("not-found", "this service never gave out that turn id")
    record = await state.log_door(find_record, state.settings.chat_log, turn_id)
    if record is None:
        raise Problem("not-found", "the record of this turn is no longer in the log")
    return await state.store_door(
        _receipt, state.settings.models_dir, record, state.settings.experiment
    )


def _receipt(models_dir: Path, record: TurnRecord, experiment: str) -> dict[str, Any]:
    receipt: dict[str, Any] = {
        "record": msgspec.to_builtins(record),
        "certificate": None,
        "recomputed": None,
        "problem": None,
    }
    try:
        decider = _decider(models_dir, record.model_version)
    except ReleaseError as error:
        return receipt | {"problem": f"the decision cannot be recomputed: {error}"}
    receipt["certificate"] = decider.certificate["words"]
    if record.step is None or record.reason is None:
        return receipt | {"problem": _UNDECIDED}
    if record.prompt is None:
        return receipt | {"problem": _NO_TEXT}
    return receipt | {"recomputed": _again(decider, record, record.prompt, experiment)}


@lru_cache(_KEPT_RELEASES)
def _decider(models_dir: Path, version: str) -> _Decider:
    """Open and verify a release; the last few stay in memory, a failure does not."""
    release = open_release(models_dir, version)
    release.verify()
    try:
        certificate = json.loads(release.read(CERTIFICATE))
        certificate = {key: certificate[key] for key in ("threshold", "certified", "words")}
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"release {version}: its certificate is damaged") from error
    return _Decider(load_scorer(release), load_content(release), certificate)


def _one_of(record: TurnRecord, *reasons: Reason) -> Reason | None:
    """Return the recorded reason when it is one of `reasons`: their cause is not in the log."""
    return next((r for r in reasons if record.reason == r), None)


def _again(decider: _Decider, record: TurnRecord, text: str, experiment: str) -> dict[str, Any]:
    intent = decider.scorer(text)
    facts = Facts(
        has_answer=decider.content.has_answer(intent.label),
        llm_healthy=True,  # the recorded `explore` is already the one that was in force
        refused=_one_of(record, Reason.BLOCKED, Reason.EMPTY),
        person=_one_of(record, Reason.ASKED_FOR_PERSON, Reason.POLICY),
        failed_before=record.reason == Reason.REPEATED_FAILURE,
        follow_up=record.follow_up,
        tapped=record.suggested_intent is not None,
    )
    plan = decide(_message(record, text), intent, _policy(decider, record, experiment), facts)
    found = _decision(intent, plan)
    differs = [name for name, value in found.items() if not _equal(value, getattr(record, name))]
    return {**found, "same": not differs, "differs": differs}


def _message(record: TurnRecord, text: str) -> Message:
    return Message(
        turn_id=record.turn_id,
        text=text,
        mode=Mode(record.mode),
        ab_prob=record.ab_prob,
        llm_model=None,
        user=record.user,
        session=record.session,
        history=(),
        request_id=record.request_id,
    )


def _policy(decider: _Decider, record: TurnRecord, experiment: str) -> Policy:
    """The release's threshold, and the draw's chances as they were recorded.

    The log does not say whether a language model was wanted; in mode auto only a house without
    one plans a passage.
    """
    without_llm = record.mode == Mode.AUTO and record.step == Step.PASSAGE
    return Policy(
        experiment=experiment,
        threshold=float(decider.certificate["threshold"]),
        certified=bool(decider.certificate["certified"]),
        explore=record.explore,
        llm_on=not without_llm,
    )


def _decision(intent: Intent, plan: Plan) -> dict[str, Any]:
    return {
        "intent": intent.label,
        "confidence": round(intent.confidence, 6),
        "in_scope": intent.in_scope,
        "step": plan.step,
        "arm": plan.arm,
        "reason": plan.reason,
        "pscore": plan.pscore,
        "threshold": plan.threshold,
        "certified": plan.certified,
    }


def _equal(found: Any, recorded: Any) -> bool:
    if isinstance(found, float) and isinstance(recorded, float):
        return math.isclose(found, recorded, rel_tol=0.0, abs_tol=TOLERANCE)
    return bool(found == recorded)
