"""The Chat tab: a streamed conversation with a way to stop it, things to tap, thumbs.

It keeps the plain conversation in the visitor's session (badges never reach the API) and knows
nothing about how an answer is made.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import gradio as gr

from chatloop.core.errors import ApiError
from chatloop.serve.ui.api import ChatStream, Gateway, Json
from chatloop.serve.ui.correct import Correction
from chatloop.serve.ui.lines import (
    WAITING,
    Conversation,
    Line,
    asked,
    failed,
    growing,
    history,
    intent_of,
)
from chatloop.serve.ui.why import Why

EXAMPLES = (
    "How do I reset my password?",
    "Where can I find my invoices?",
    "Can I get my money back?",
    "How do I invite a colleague?",
    "What does the Team plan cost?",
    "Can you book me a flight to Lisbon?",
)
_SUGGESTIONS = 4  # three likely intents and a person
_WELCOME = "### How can I help?\nAsk a question, or start with one of these."
_MODES = [
    ("Automatic: local when sure, else the language model", "auto"),
    ("Local only: never ask the language model", "local"),
    ("Language model only", "llm"),
]
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
Update = dict[Any, Any]
"""What changes on the page: component -> its new value."""


class Chat:
    """Builds the tab inside the current Blocks and holds its handlers."""

    def __init__(self, gateway: Gateway, session: gr.BrowserState) -> None:
        self._gateway = gateway
        self._session = session
        self._streams: dict[str, ChatStream] = {}  # what is being answered now, by page
        self._conversation = gr.State(())
        self._chatbot = _chatbot()
        with gr.Row(elem_classes="cl-suggestions"):
            self._suggestions = [
                gr.Button(visible=False, size="sm", min_width=40) for _ in range(_SUGGESTIONS)
            ]
        self._ask_row()
        gr.HTML('<p class="cl-fine">You are talking to an AI assistant. It can be wrong.</p>')
        self._why = Why(gateway)
        self._correction = Correction(gateway)
        with gr.Accordion("Options", open=False, elem_id="options"):
            self._mode = gr.Radio(_MODES, value="auto", label="Who answers", elem_id="mode")
        self._connect()

    def _ask_row(self) -> None:
        with gr.Row(elem_classes="cl-ask", equal_height=True):
            self._box = gr.Textbox(
                placeholder="Type your question",
                label="Your question",
                show_label=False,
                container=False,
                max_lines=6,
                autofocus=True,
                scale=8,
                min_width=120,
                elem_id="question",
            )
            self._send = gr.Button("Send", variant="primary", scale=0, min_width=84, elem_id="send")
            self._stop = gr.Button(
                "Stop", variant="stop", scale=0, min_width=84, visible=False, elem_id="stop"
            )

    def _connect(self) -> None:
        shown = [self._chatbot, self._conversation, self._session, *self._suggestions]
        forms = [self._why.form, self._correction.form]
        ask: dict[str, Any] = {
            "outputs": [*shown, *forms, self._box, self._send, self._stop],
            **_PRIVATE,
        }
        state = [self._conversation, self._mode, self._session]
        gr.on([self._send.click, self._box.submit], self._ask, [self._box, *state], **ask)
        for button in self._suggestions:
            button.click(self._tap, [button, *state], **ask)
        self._chatbot.example_select(self._ask_example, state, **ask)
        self._stop.click(self._halt, None, None, queue=False, **_PRIVATE)
        self._chatbot.clear(self._forget, None, ask["outputs"], **_PRIVATE)
        self._chatbot.like(self._rate, [self._conversation], None, **_PRIVATE)
        self._why.follow(self._conversation)
        self._correction.follow(self._conversation)

    def _ask_example(
        self,
        conversation: Conversation,
        mode: str,
        session_id: str | None,
        request: gr.Request,
        chosen: gr.SelectData,
    ) -> Iterator[Update]:
        yield from self._ask(chosen.value["text"], conversation, mode, session_id, request)

    def _ask(
        self,
        question: str,
        conversation: Conversation,
        mode: str,
        session_id: str | None,
        request: gr.Request,
    ) -> Iterator[Update]:
        if question.strip():
            body = {"prompt": question, "mode": mode, "session_id": session_id}
            yield from self._converse(body, conversation, request)

    def _tap(
        self,
        suggestion: str,
        conversation: Conversation,
        mode: str,
        session_id: str | None,
        request: gr.Request,
    ) -> Iterator[Update]:
        """Ask what was tapped; its approved answer comes at once, also where only an LLM may."""
        mode = "auto" if mode == "llm" else mode
        body = {"prompt": suggestion, "mode": mode, "session_id": session_id}
        if intent := intent_of(conversation, suggestion):
            body["suggested_intent"] = intent
        yield from self._converse(body, conversation, request)

    def _converse(
        self, body: Json, conversation: Conversation, request: gr.Request
    ) -> Iterator[Update]:
        """Send a message; yields what changes on the page with each piece of the answer.

        The first message gives the browser its random session id, which it keeps.
        """
        body["session_id"] = body["session_id"] or secrets.token_urlsafe(16)
        body["history"] = history(conversation)
        conversation = (*conversation, asked(body["prompt"]))
        yield {
            self._chatbot: _messages((*conversation, WAITING)),
            self._conversation: conversation,
            self._session: body["session_id"],
            self._box: "",
            self._why.form: gr.update(open=False),
            self._correction.form: gr.update(open=False),
            **self._offer(()),
            **self._busy(True),
        }
        line = WAITING
        for line in self._answer(body, request):
            yield {self._chatbot: _messages((*conversation, line))}
        form = gr.update(visible=bool(line.turn_id))
        yield {
            self._conversation: (*conversation, line),
            self._why.form: form,
            self._correction.form: form,
            **self._offer([str(row.get("text", "")) for row in line.suggestions]),
            **self._busy(False),
        }

    def _answer(self, body: Json, request: gr.Request) -> Iterator[Line]:
        """Yield the growing reply."""
        try:
            stream = self._gateway.client(request).chat_stream(body)
        except ApiError as error:
            yield failed(Line("assistant", "", ""), error)
            return
        page = str(request.session_hash)
        self._streams[page] = stream
        try:
            with closing(stream):
                yield from growing(stream, self._gateway.link)
        finally:
            self._streams.pop(page, None)

    def _offer(self, texts: Sequence[str]) -> Update:
        hidden = [gr.update(visible=False)] * _SUGGESTIONS
        shown = [gr.update(value=text, visible=True) for text in texts]
        return dict(zip(self._suggestions, shown + hidden, strict=False))

    def _busy(self, busy: bool) -> Update:
        return {self._send: gr.update(visible=not busy), self._stop: gr.update(visible=busy)}

    def _halt(self, request: gr.Request) -> None:
        """Stop the answer that this page is getting."""
        if stream := self._streams.get(str(request.session_hash)):
            stream.stop()

    def _forget(self) -> Update:
        """Begin anew, under a new session id: the API remembers nothing of the old talk then."""
        hidden = gr.update(visible=False)
        forms = {self._why.form: hidden, self._correction.form: hidden}
        return {self._conversation: (), self._session: None, **forms, **self._offer(())}

    def _rate(self, conversation: Conversation, request: gr.Request, like: gr.LikeData) -> None:
        position = like.index[0] if isinstance(like.index, (list, tuple)) else like.index
        turn_id = conversation[position].turn_id if position < len(conversation) else ""
        if like.liked not in {True, False}:  # a vote that was taken back
            return
        if not turn_id:
            gr.Info("Only an answer that came to its end can be rated.", duration=4)
            return
        rating = "up" if like.liked else "down"
        try:
            self._gateway.client(request).submit_feedback(turn_id=turn_id, rating=rating)
        except ApiError as error:
            gr.Warning(str(error), title="Not counted")
        else:
            gr.Info("Your vote is counted.", title="Thank you", duration=4)


def _chatbot() -> gr.Chatbot:
    return gr.Chatbot(
        elem_id="chat",
        show_label=False,
        container=False,
        height="clamp(320px, calc(100dvh - 310px), 720px)",
        placeholder=_WELCOME,
        examples=[{"text": example} for example in EXAMPLES],
        buttons=[],
        sanitize_html=True,
        allow_tags=False,
        allow_file_downloads=False,
        layout="bubble",
        group_consecutive_messages=False,
    )


def _messages(lines: Conversation) -> list[Json]:
    return [{"role": line.role, "content": line.shown} for line in lines]
