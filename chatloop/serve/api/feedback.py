"""POST /submit_feedback."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from chatloop.loop.feedback.intake import FeedbackIn as Submission
from chatloop.loop.feedback.intake import FeedbackProblem
from chatloop.serve.api.bodies import body_of
from chatloop.serve.api.docs import takes
from chatloop.serve.api.problems import Problem
from chatloop.serve.api.schemas import FeedbackIn, FeedbackOut
from chatloop.serve.api.state import State, state_of

router = APIRouter(tags=["feedback"])
ReadFeedback = Annotated[FeedbackIn, Depends(body_of(FeedbackIn))]
Shared = Annotated[State, Depends(state_of)]
_KIND_OF = {"not_found": "not-found", "needs_text": "conflict", "invalid": "invalid"}


@router.post("/submit_feedback", response_model=FeedbackOut, **takes(FeedbackIn, also=(404, 409)))
async def submit_feedback(request: Request, body: ReadFeedback, state: Shared) -> FeedbackOut:
    """Take a label for a text, a rating or correction of a turn, or a report.

    From this machine, while no keys exist, a label counts at once (`accepted`); from elsewhere it
    is `queued_for_review`. Personal data is taken out before anything is stored.
    """
    submission = Submission(**body.model_dump())
    trusted = state.is_trusted(request)
    try:
        result = await state.store_door(
            state.intake.submit, submission, trusted=trusted, source="api"
        )
    except FeedbackProblem as problem:
        errors = [{"field": problem.field, "message": str(problem)}]
        raise Problem(_KIND_OF[problem.outcome], str(problem), errors=errors) from problem
    state.feedback[result.status] += 1
    return FeedbackOut(feedback_id=result.feedback_id, status=result.status, message=result.message)
