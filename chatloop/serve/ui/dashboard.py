"""The Numbers tab: live figures and plots, refreshed every few seconds while the tab is open.

It shows what GET /metrics says and computes nothing of its own, except that, when the API gives
no series over time, it keeps the figures it has seen since the page was opened.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr
import pandas as pd

from chatloop.core.errors import ApiError
from chatloop.serve.ui import words
from chatloop.serve.ui.api import Gateway, Json

_REFRESH_S = 5.0
_MOST_SAMPLES = 720  # an hour of refreshes
_MOST_INTENTS = 12
_LEAST_HEIGHT = 5  # of a y axis: a single turn is not shown as a whole plot of fractions
_WINDOWS = [("5 minutes", "5m"), ("1 hour", "1h"), ("24 hours", "24h")]
_COLOURS = {
    "all turns": "#4f6bed",
    "answered locally": "#12a594",
    "p95": "#e5702a",
    "p50": "#4f6bed",
}
_PLOT: dict[str, Any] = {
    "elem_classes": "cl-plot",
    "buttons": [],
    "min_width": 320,
}

Samples = tuple[Json, ...]


class Dashboard:
    """Builds the tab inside the current Blocks and holds its handlers."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._samples = gr.State(())
        with gr.Row(elem_classes="cl-bar", equal_height=True):
            self._window = gr.Radio(
                _WINDOWS, value="1h", label="Window", show_label=False, container=False,
                elem_id="window", scale=4, min_width=260,
            )  # fmt: skip
            self._button = gr.Button("Refresh", size="sm", scale=0, min_width=96, elem_id="refresh")
        self._tiles = gr.HTML(elem_id="tiles")
        with gr.Row():
            self._turns = _line_plot("Turns over time", "turns")
            self._latency = _line_plot("Latency over time (ms)", "ms")
        with gr.Row():
            self._intents = _bar_plot("Turns by intent", "intent")
            self._models = _bar_plot("Turns by who answered", "who")

    def follow(self, own: gr.Tab, others: Sequence[gr.Tab]) -> None:
        """Refresh on selection, by button, by window, and by a timer while `own` is open."""
        timer = gr.Timer(_REFRESH_S, active=False)
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        own.select(lambda: gr.Timer(active=True), None, timer, **quiet)
        for other in others:
            other.select(lambda: gr.Timer(active=False), None, timer, **quiet)
        self._window.change(lambda: (), None, self._samples, **quiet)
        gr.on(
            [own.select, self._button.click, self._window.change, timer.tick],
            self._refresh,
            [self._window, self._samples],
            [
                self._samples,
                self._tiles,
                self._turns,
                self._latency,
                self._intents,
                self._models,
            ],
            **quiet,
        )

    def _refresh(self, window: str, samples: Samples, request: gr.Request) -> tuple[Any, ...]:
        try:
            figures = self._gateway.client(request).metrics(window)
        except ApiError as error:
            return gr.skip(), words.notice(str(error), "bad"), *(gr.skip(),) * 4
        samples = (*samples, _sample(figures))[-_MOST_SAMPLES:]
        points = figures.get("series") or samples
        by = figures.get("by") or {}
        return (
            samples,
            tiles(figures),
            _drawn(over_time(points, {"turns": "all turns", "local": "answered locally"})),
            _drawn(over_time(points, {"p50_ms": "p50", "p95_ms": "p95"})),
            _drawn(by_name(by.get("intent") or {}, "intent")),
            _drawn(by_name(by.get("answered_by") or {}, "who")),
        )


def tiles(figures: Json) -> str:
    """Return the key figures as HTML tiles."""
    latency = figures.get("latency_ms") or {}
    shown = [
        ("Turns", words.count(figures.get("turns")), ""),
        ("Answered locally", words.percent(figures.get("share_local")), "approved answers"),
        ("Degraded", words.percent(figures.get("share_degraded")), "model away or failed"),
        ("Latency p50", words.duration(latency.get("p50")), "half are faster"),
        ("Latency p95", words.duration(latency.get("p95")), "95 % are faster"),
        ("Personal data", words.percent(figures.get("share_pii")), "of turns, masked"),
    ]
    if figures.get("satisfaction") is not None:
        shown.append(("Satisfaction", words.percent(figures["satisfaction"]), "thumbs up of all"))
    inner = "".join(
        f'<div class="cl-tile"><span>{escape(name)}</span><b>{escape(value)}</b>'
        f"<small>{escape(note)}</small></div>"
        for name, value, note in shown
    )
    return f'<div class="cl-tiles">{inner}</div>'


def over_time(points: Sequence[Json], names: dict[str, str]) -> pd.DataFrame:
    """Return `points` as rows (time, kind, value) for a line plot, one kind a name."""
    rows = [
        (pd.Timestamp(point["t"], unit="s"), kind, float(point[key]))
        for key, kind in names.items()
        for point in points
        if point.get(key) is not None
    ]
    return pd.DataFrame(rows, columns=["time", "kind", "value"])


def by_name(counts: dict[str, int], column: str) -> pd.DataFrame:
    """Return the largest counts as rows (name, turns); the others are added up as one."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    top, rest = ranked[:_MOST_INTENTS], ranked[_MOST_INTENTS:]
    if rest:
        top.append(("all others", sum(number for _, number in rest)))
    rows = [(words.WHO.get(name, words.spaced(name)), number) for name, number in top]
    return pd.DataFrame(rows, columns=[column, "turns"])


def _drawn(frame: pd.DataFrame) -> Any:
    """Show `frame`, its last column upwards from 0 with some air above the highest value."""
    highest = 0.0 if frame.empty else float(frame.iloc[:, -1].max())
    return gr.update(value=frame, y_lim=[0, max(highest * 1.08, _LEAST_HEIGHT)])


def _sample(figures: Json) -> Json:
    latency = figures.get("latency_ms") or {}
    turns, share = figures.get("turns") or 0, figures.get("share_local") or 0.0
    return {
        "t": int(time.time()),
        "turns": turns,
        "local": round(turns * share),
        "p50_ms": latency.get("p50"),
        "p95_ms": latency.get("p95"),
    }


def _line_plot(title: str, unit: str) -> gr.LinePlot:
    return gr.LinePlot(
        x="time", y="value", color="kind", title=title, x_title=" ", y_title=unit,
        color_title=" ", color_map=_COLOURS, x_axis_format="%H:%M", height=280, **_PLOT,
    )  # fmt: skip


def _bar_plot(title: str, column: str) -> gr.BarPlot:
    return gr.BarPlot(
        x=column, y="turns", title=title, x_title=" ", y_title="turns", sort="-y",
        x_label_angle=-40, height=320, **_PLOT,
    )  # fmt: skip
