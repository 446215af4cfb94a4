"""Retraining and releases: /retrain, /models, a release's report, promote and rollback."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from chatloop.core.errors import ReleaseError
from chatloop.core.release import REPORT, VERSION, list_versions, open_release
from chatloop.loop.register.releases import Switch, describe_all, promote, rollback
from chatloop.loop.store import JobState
from chatloop.serve.api.bodies import body_of
from chatloop.serve.api.docs import errors, takes
from chatloop.serve.api.problems import Problem
from chatloop.serve.api.schemas import RetrainIn
from chatloop.serve.api.state import State, state_of

router = APIRouter(tags=["models"])
ReadRetrain = Annotated[RetrainIn, Depends(body_of(RetrainIn))]
Shared = Annotated[State, Depends(state_of)]
ACTOR = "api"
_REPORT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@router.post("/retrain", **takes(RetrainIn, also=(403,)))
async def retrain(request: Request, body: ReadRetrain, state: Shared) -> JSONResponse:
    """Train on all accepted rows, compare with the current model, and serve it if it may be.

    Runs in a process of its own; a second call joins the running job. With `wait` false the reply
    is 202 with `Location: /retrain/{job}`.
    """
    state.need_local(request)
    job = await state.retraining.start(force=body.force, actor=ACTOR)
    if not body.wait:
        headers = {"Location": f"/retrain/{job.job_id}"}
        return JSONResponse(await state.retraining.describe(job), 202, headers=headers)
    job = await state.retraining.wait(job)
    described = await state.retraining.describe(job)
    if job.state == JobState.FAILED:
        raise Problem("job-failed", f"{described['message']} (GET /retrain/{job.job_id})")
    return JSONResponse(described)


@router.get("/retrain/{job_id}", responses=errors(403, 404))
async def retrain_job(request: Request, job_id: str, state: Shared) -> dict[str, Any]:
    """Say how far a retraining job is, and what it came to."""
    state.need_local(request)
    job = await state.store_door(state.store.job, job_id)
    if job is None:
        raise Problem("not-found", "there is no such retraining job")
    return await state.retraining.describe(job)


@router.get("/models", responses=errors(403))
async def models(request: Request, state: Shared) -> dict[str, Any]:
    """List the releases with their figures, and what was served when."""
    state.need_local(request)
    listed = await state.store_door(describe_all, state.settings.models_dir)
    return listed | {"served_here": state.live.version, "problem": state.live.problem}


@router.get(
    "/models/{version}/report", response_class=HTMLResponse, responses=errors(403, 404, 409)
)
async def report(request: Request, version: str, state: Shared) -> Response:
    """Show how good a release is, as a page; nothing on it can run or ask for anything."""
    state.need_local(request)
    models_dir = state.settings.models_dir
    if not VERSION.fullmatch(version) or version not in list_versions(models_dir):
        raise Problem("not-found", "there is no such release; GET /models lists all")
    release = open_release(models_dir, version)
    if REPORT not in release.digests:
        raise Problem("not-found", "this release was made without a report")
    page = await state.store_door(release.read, REPORT)
    return HTMLResponse(page, headers=_REPORT_HEADERS)


@router.post("/models/{version}/promote", responses=errors(403, 404, 409))
async def promote_model(request: Request, version: str, state: Shared) -> dict[str, Any]:
    """Serve a release by name, at once, on all workers."""
    state.need_local(request)
    models_dir = state.settings.models_dir
    if not VERSION.fullmatch(version) or version not in list_versions(models_dir):
        raise Problem("not-found", "there is no such release; GET /models lists all")
    return await _switched(state, promote, models_dir, version, ACTOR)


@router.post("/rollback", responses=errors(403, 409))
async def rollback_model(request: Request, state: Shared) -> dict[str, Any]:
    """Serve the release before the current one again, at once, on all workers."""
    state.need_local(request)
    return await _switched(state, rollback, state.settings.models_dir, ACTOR)


async def _switched(state: State, act: Any, *arguments: Any) -> dict[str, Any]:
    try:
        switch: Switch = await state.store_door(act, *arguments)
    except ReleaseError as error:
        raise Problem("release", str(error)) from error
    workers = await state.live.all_follow(switch.version)
    return {**asdict(switch), "workers": asdict(workers)}
