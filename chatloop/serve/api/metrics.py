"""GET /metrics: JSON for people, Prometheus text for machines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chatloop.loop.monitor.prometheus import TurnCollector
from chatloop.serve.api.docs import errors
from chatloop.serve.api.state import State, state_of
from chatloop.serve.llms import best_of
from chatloop.turn.answer.base import STATES, LlmStatus
from chatloop.turn.answer.llm.breaker import BreakerState

router = APIRouter(tags=["metrics"])
Shared = Annotated[State, Depends(state_of)]
Window = Literal["5m", "1h", "24h"]
_LLM_STATES = (*STATES.values(), "off")


@router.get("/metrics", responses=errors(422))
async def metrics(
    request: Request,
    state: Shared,
    window: Annotated[Window | None, Query(description="Without: since the first line.")] = None,
    format: Annotated[Literal["json", "prometheus"] | None, Query()] = None,  # noqa: A002
) -> Response:
    """Aggregate the chat log: all workers' turns, exact after every restart and rotation."""
    await state.log_door(state.house.metrics.refresh)
    accept = request.headers.get("accept", "")
    wants_text = "text/plain" in accept or "openmetrics" in accept
    if format == "prometheus" or (format is None and wants_text):
        return Response(exposition(state), media_type=CONTENT_TYPE_LATEST)
    figures = state.house.metrics.snapshot(window)
    return JSONResponse(figures | await _extras(state))


async def _extras(state: State) -> dict[str, Any]:
    """What is not in the log: ratings from the store, the release, the language model."""
    ratings = await state.store_door(state.store.ratings)
    rated = ratings.up + ratings.down
    statuses = [model.status() for model in state.house.models]
    best = best_of(statuses)
    return {
        "ratings": {"up": ratings.up, "down": ratings.down},
        "satisfaction": round(ratings.up / rated, 6) if rated else None,
        "model_version": state.live.version,
        "promise": state.live.turn.promise if state.live.turn else None,
        "llm_state": best.state if best else "off",
        "llms": {status.name: status.state for status in statuses},
        "log_dropped": state.house.writer.dropped,
    }


class ProcessCollector(Collector):
    """Counters of this worker that no log line holds: replies by status, feedback, breaker."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        """Yield the families."""
        state = self._state
        replies = CounterMetricFamily(
            "chatloop_http_replies", "Replies of this worker by status.", labels=["status"]
        )
        for status, count in sorted(state.statuses.items()):
            replies.add_metric([str(status)], count)
        yield replies
        feedback = CounterMetricFamily(
            "chatloop_feedback", "Feedback taken by this worker.", labels=["status"]
        )
        for word, count in sorted(state.feedback.items()):
            feedback.add_metric([word], count)
        yield feedback
        yield from self._gauges()

    def _gauges(self) -> Iterable[Metric]:
        state = self._state
        statuses = [model.status() for model in state.house.models]
        best = best_of(statuses)
        now = best.state if best else "off"
        llm = GaugeMetricFamily("chatloop_llm_state", "1 for the present state.", labels=["state"])
        for name in _LLM_STATES:
            llm.add_metric([name], float(name == now))
        yield llm
        yield from _of_models(statuses)
        writer = state.house.writer
        yield CounterMetricFamily("chatloop_log_dropped", "Lines lost.", value=writer.dropped)
        yield CounterMetricFamily(
            "chatloop_reload_failures", "Releases that were not taken.", value=state.live.failures
        )


def _of_models(statuses: list[LlmStatus]) -> Iterable[Metric]:
    """The breaker and the calls of each language model."""
    breaker = GaugeMetricFamily(
        "chatloop_llm_breaker", "1 for the present state.", labels=["model", "state"]
    )
    calls = GaugeMetricFamily(
        "chatloop_llm_calls", "Calls now, by what they do.", labels=["model", "state"]
    )
    for status in statuses:
        for state in BreakerState:
            breaker.add_metric([status.name, state], float(state == status.breaker))
        calls.add_metric([status.name, "in_flight"], status.in_flight)
        calls.add_metric([status.name, "waiting"], status.waiting)
    return breaker, calls


def exposition(state: State) -> bytes:
    """Return the Prometheus text of the log's totals and of this worker."""
    registry = CollectorRegistry()
    registry.register(TurnCollector(state.house.metrics))
    registry.register(ProcessCollector(state))
    return generate_latest(registry)
