"""The Models tab: the releases, retraining with its progress and verdict, and the way back.

It starts jobs and shows what the API says about them; it decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import escape
from typing import Any
from urllib.parse import quote

import gradio as gr

from chatloop.core.errors import ApiError
from chatloop.serve.ui import words
from chatloop.serve.ui.api import ApiAwayError, Client, Gateway, Json

_POLL_S = 0.5
_MOST_SILENT_POLLS = 40  # the API may restart in the middle of a job
_COLUMNS = ("Release", "Made (UTC)", "Accuracy", "Macro F1", "Rows", "Intents")
_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


class Models:
    """Builds the tab inside the current Blocks and holds its handlers."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._table = gr.HTML(elem_id="releases")
        with gr.Row(elem_classes="cl-bar"):
            self._retrain = gr.Button("Retrain now", variant="primary", scale=0, min_width=140,
                                      elem_id="retrain")  # fmt: skip
            self._back = gr.Button("Roll back", scale=0, min_width=120, elem_id="rollback")
        with gr.Column(
            visible=False, elem_id="confirm", elem_classes="cl-confirm"
        ) as self._confirm:
            gr.HTML("<p>Make the previous release current again? Visitors notice nothing.</p>")
            with gr.Row():
                self._yes = gr.Button("Yes, roll back", variant="stop", size="sm", elem_id="yes")
                self._no = gr.Button("Keep this release", size="sm", elem_id="no")
        self._job = gr.HTML(elem_id="job")

    def follow(self, own: gr.Tab) -> None:
        """Connect the events; the table is read anew whenever the tab is opened."""
        own.select(self._releases, None, self._table, **_QUIET)
        self._retrain.click(self._run, None, [self._job, self._retrain], **_QUIET).then(
            self._releases, None, self._table, **_QUIET
        )
        self._back.click(lambda: gr.update(visible=True), None, self._confirm, **_QUIET)
        self._no.click(lambda: gr.update(visible=False), None, self._confirm, **_QUIET)
        self._yes.click(self._roll_back, None, [self._job, self._confirm], **_QUIET).then(
            self._releases, None, self._table, **_QUIET
        )

    def _releases(self, request: gr.Request) -> str:
        try:
            listed = self._gateway.client(request).models()
            return release_table(listed, with_reports=self._gateway.api_url is None)
        except ApiError as error:
            return words.notice(str(error), "bad")

    def _roll_back(self, request: gr.Request) -> tuple[str, Any]:
        try:
            done = self._gateway.client(request).rollback()
        except ApiError as error:
            return words.notice(str(error), "bad"), gr.update(visible=False)
        text = f"Release {done.get('version')} answers again, in place of {done.get('previous')}."
        return words.notice(text, "good"), gr.update(visible=False)

    def _run(self, request: gr.Request) -> Iterator[tuple[str, Any]]:
        """Start a job, or join the running one, and follow it to its end."""
        busy = gr.update(interactive=False)
        try:
            job_id = self._gateway.client(request).start_retrain()
            for job in self._states(job_id, request):
                yield job_state(job), busy
        except ApiError as error:
            yield words.notice(str(error), "bad"), busy
        yield gr.skip(), gr.update(interactive=True)

    def _states(self, job_id: str, request: gr.Request) -> Iterator[Json]:
        silent = 0
        while True:
            client: Client = self._gateway.client(request)
            try:
                job = client.retrain_job(job_id)
            except ApiAwayError:
                silent += 1
                if silent > _MOST_SILENT_POLLS:
                    raise
            else:
                silent = 0
                yield job
                if job.get("state") in {"done", "failed"}:
                    return
            time.sleep(_POLL_S)


def release_table(answer: Json, *, with_reports: bool = False) -> str:
    """Return the releases as an HTML table, newest first as the API gives them.

    `with_reports` links to them: the API shows a report to a page of its own address only.
    """
    rows = "".join(_release(m, with_reports=with_reports) for m in answer.get("models") or [])
    if not rows:
        return words.notice("There is no release yet; make one with `python train_model.py`.")
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    return (
        f'<div class="cl-table"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _release(model: Json, *, with_reports: bool) -> str:
    low, high = (model.get("accuracy_interval") or (None, None))[:2]
    accuracy = _score(model.get("accuracy"))
    if low is not None:
        accuracy += f" <small>{_score(low)} to {_score(high)}</small>"
    marks = ' <span class="cl-chip approved">current</span>' if model.get("current") else ""
    if model.get("state") == "broken":
        marks += ' <span class="cl-chip away">broken</span>'
    if with_reports and model.get("report"):
        address = f"/models/{quote(str(model.get('version')), safe='')}/report"
        marks += f' <a href="{address}" target="_blank" rel="noopener">report</a>'
    cells = (
        f"<code>{escape(str(model.get('version')))}</code>{marks}",
        escape(words.moment(model.get("created_at"))),
        accuracy,
        _score(model.get("macro_f1")),
        words.count(model.get("rows")),
        words.count(model.get("intents")),
    )
    named = zip(_COLUMNS, cells, strict=True)
    return "<tr>" + "".join(f'<td data-name="{n}">{cell}</td>' for n, cell in named) + "</tr>"


def _score(figure: float | Json | None) -> str:
    value = figure.get("value") if isinstance(figure, dict) else figure
    return "–" if value is None else f"{value:.3f}"


def job_state(job: Json) -> str:
    """Return a running job as a progress bar, an ended one as its outcome."""
    state = job.get("state")
    if state == "failed":
        message = (job.get("result") or {}).get("message") or job.get("message")
        return words.notice(str(message or "The job failed; the server's log says why."), "bad")
    if state == "done":
        return outcome(job.get("result") or {})
    share = min(max(float(job.get("progress") or 0), 0.0), 1.0)
    stage = words.spaced(job.get("stage") or "waiting for its turn")
    return (
        f'<div class="cl-notice note" role="status"><b>Retraining</b>: {escape(stage)} '
        f'<span class="cl-share">{share:.0%}</span>'
        f'<div class="cl-progress"><i style="width:{share:.0%}"></i></div></div>'
    )


def outcome(result: Json) -> str:
    """Return the end of a job: what became of the new model, on which rows, by which checks."""
    title = str(result.get("message") or "the job is done")
    checks = (result.get("gate") or {}).get("checks") or []
    kind = "good" if result.get("promoted") else "note"
    return (
        f'<div class="cl-notice {kind}" role="status">'
        f"<b>{escape(title[:1].upper() + title[1:])}</b>{_facts(result)}"
        f"{''.join(_check(check) for check in checks)}</div>"
    )


def _facts(result: Json) -> str:
    facts = []
    rows = result.get("rows") or {}
    if rows:
        numbers = (words.count(rows.get(key)) for key in ("used", "feedback", "held", "refused"))
        facts.append("{} rows used, {} of them from feedback; {} held back, {} refused.".format(
            *numbers))  # fmt: skip
    for label, have in (rows.get("waiting") or {}).items():
        facts.append(f"New intent {label} waits for more examples: {have}.")
    metrics = result.get("metrics") or {}
    old, new = ((metrics.get(side) or {}).get("accuracy") for side in ("old", "new"))
    if new is not None:
        facts.append(f"Accuracy on the test rows: {_score(old)} before, {_score(new)} now.")
    workers = result.get("workers") or {}
    if workers:
        facts.append(f"Workers that use it: {workers.get('on_new')} of {workers.get('live')}.")
    return f"<p>{escape(' '.join(facts))}</p>" if facts else ""


def _check(check: Json) -> str:
    passed = bool(check.get("passed"))
    mark, kind = ("✓", "pass") if passed else ("✗", "fail")
    spoken = "passed" if passed else "failed"
    return (
        f'<div class="cl-check {kind}"><i aria-label="{spoken}">{mark}</i>'
        f"<span><b>{escape(words.spaced(check.get('name', '')).capitalize())}</b> "
        f"{escape(str(check.get('detail', '')))}</span></div>"
    )
