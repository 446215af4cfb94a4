"""GET /tickets: the conversations that a person takes over, for the staff on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from chatloop.loop.store import TicketState
from chatloop.serve.api.docs import errors
from chatloop.serve.api.state import State, state_of

router = APIRouter(tags=["tickets"])
Shared = Annotated[State, Depends(state_of)]


@router.get("/tickets", responses=errors(403, 422, 503))
async def tickets(
    request: Request,
    state: Shared,
    wanted: Annotated[TicketState | None, Query(alias="state")] = None,
) -> dict[str, Any]:
    """List the newest hundred tickets, newest first, each with its redacted transcript."""
    state.need_local(request)
    states = (wanted,) if wanted else tuple(TicketState)
    found = await state.store_door(state.store.tickets.newest, states)
    return {"tickets": [asdict(ticket) for ticket in found]}
