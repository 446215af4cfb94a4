"""The "Correct this answer" under a reply: the right intent, and better words if there are any.

It sends what was chosen to POST /submit_feedback; what that comes to is the API's to say.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from chatloop.core.errors import ApiError
from chatloop.serve.ui import words
from chatloop.serve.ui.api import Gateway
from chatloop.serve.ui.lines import Conversation

_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


class Correction:
    """Builds the accordion inside the current Blocks; `form` is shown by whoever has a reply."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        form = gr.Accordion("Correct this answer", open=False, visible=False, elem_id="correction")
        with form:
            gr.HTML('<p class="cl-fine">What was the last question really about?</p>')
            self._label = gr.Dropdown(
                [], label="Right intent", allow_custom_value=True, filterable=True, elem_id="label",
                info="Choose one, or type a new name such as gift_cards",
            )  # fmt: skip
            self._better = gr.Textbox(label="Better answer (optional)", lines=3, elem_id="better")
            self._correct = gr.Button("Send correction", variant="secondary", elem_id="correct")
        self.form = form

    def follow(self, conversation: gr.State) -> None:
        """Connect the events; the intents are read anew whenever the accordion is opened."""
        self.form.expand(self._intents, None, [self._label], **_PRIVATE)
        self._correct.click(
            self._send,
            [conversation, self._label, self._better],
            [self._label, self._better, self.form],
            **_PRIVATE,
        )

    def _intents(self, request: gr.Request) -> Any:
        try:
            names = self._gateway.client(request).intents()
        except ApiError as error:
            gr.Warning(str(error), title="The list of intents is not here")
            names = []
        return gr.update(choices=sorted(names))

    def _send(
        self, conversation: Conversation, label: str | None, better: str, request: gr.Request
    ) -> tuple[Any, ...]:
        turn_id = conversation[-1].turn_id if conversation else ""
        if not label or not turn_id:
            gr.Warning("Choose the right intent first, or type a new name.", title="Not sent")
            return gr.skip(), gr.skip(), gr.skip()
        fields = {"turn_id": turn_id, "label": label.strip()}
        if better.strip():
            fields["answer"] = better.strip()
        try:
            taken = self._gateway.client(request).submit_feedback(**fields)
        except ApiError as error:
            gr.Warning(str(error), title="Not sent")
            return gr.skip(), gr.skip(), gr.skip()
        gr.Info(str(taken.get("message") or words.spaced(taken.get("status", ""))),
                title="Thank you", duration=6)  # fmt: skip
        return None, "", gr.update(open=False)
