"""The Chat tab: a streamed conversation, a badge under each reply, thumbs, corrections.

It keeps the plain conversation in the visitor's session (badges never reach the API) and knows
nothing about how an answer is made.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from chatloop.core.errors import ApiError
from chatloop.serve.ui import words
from chatloop.serve.ui.api import Gateway
from chatloop.serve.ui.why import Why

EXAMPLES = (
    "How do I reset my password?",
    "Where can I find my invoices?",
    "Can I get my money back?",
    "How do I invite a colleague?",
    "What does the Team plan cost?",
    "Can you book me a flight to Lisbon?",
)
_HISTORY_LINES = 20  # the API takes no more
_SUGGESTIONS = 4  # three likely intents and a person
_WELCOME = "### How can I help?\nAsk a question, or start with one of these."
_MODES = [
    ("Automatic: local when sure, else the language model", "auto"),
    ("Local only: never ask the language model", "local"),
    ("Language model only", "llm"),
]
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the conversation: plain text for the API, `shown` for the page."""

    role: str
    text: str
    shown: str
    turn_id: str = ""


Conversation = tuple[Line, ...]


class Chat:
    """Builds the tab inside the current Blocks and holds its handlers."""

    def __init__(self, gateway: Gateway, session: gr.BrowserState) -> None:
        self._gateway = gateway
        self._session = session
        self._conversation = gr.State(())
        self._chatbot = _chatbot()
        with gr.Row(elem_classes="cl-suggestions"):
            self._suggestions = [
                gr.Button(visible=False, size="sm", min_width=40) for _ in range(_SUGGESTIONS)
            ]
        self._ask_row()
        gr.HTML('<p class="cl-fine">You are talking to an AI assistant. It can be wrong.</p>')
        self._why = Why(gateway)
        self._correction_form()
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

    def _correction_form(self) -> None:
        form = gr.Accordion("Correct this answer", open=False, visible=False, elem_id="correction")
        with form:
            gr.HTML('<p class="cl-fine">What was the last question really about?</p>')
            self._label = gr.Dropdown(
                [], label="Right intent", allow_custom_value=True, filterable=True, elem_id="label",
                info="Choose one, or type a new name such as gift_cards",
            )  # fmt: skip
            self._better = gr.Textbox(label="Better answer (optional)", lines=3, elem_id="better")
            self._correct = gr.Button("Send correction", variant="secondary", elem_id="correct")
        self._form = form

    def _connect(self) -> None:
        ask: dict[str, Any] = {
            "fn": self._ask,
            "outputs": [
                self._chatbot,
                self._conversation,
                self._box,
                self._session,
                self._form,
                self._why.form,
                *self._suggestions,
            ],
            **_PRIVATE,
        }
        state = [self._conversation, self._mode, self._session]
        gr.on([self._send.click, self._box.submit], inputs=[self._box, *state], **ask)
        for button in self._suggestions:
            button.click(inputs=[button, *state], **ask)
        self._chatbot.example_select(**{**ask, "fn": self._ask_example}, inputs=state)
        self._chatbot.clear(lambda: ((), *_no_suggestions()), None,
                            [self._conversation, *self._suggestions], **_PRIVATE)  # fmt: skip
        self._chatbot.like(self._rate, [self._conversation], None, **_PRIVATE)
        self._why.follow(self._conversation)
        self._form.expand(self._intents, None, [self._label], **_PRIVATE)
        self._correct.click(
            self._send_correction,
            [self._conversation, self._label, self._better],
            [self._label, self._better, self._form],
            **_PRIVATE,
        )

    def _ask_example(
        self,
        conversation: Conversation,
        mode: str,
        session_id: str | None,
        request: gr.Request,
        chosen: gr.SelectData,
    ) -> Iterator[tuple[Any, ...]]:
        yield from self._ask(chosen.value["text"], conversation, mode, session_id, request)

    def _ask(
        self,
        question: str,
        conversation: Conversation,
        mode: str,
        session_id: str | None,
        request: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:
        """Send the question; yields the page after each piece of the answer.

        The first question gives the browser its random session id, which it keeps.
        """
        if not question.strip():
            yield (gr.skip(),) * (6 + _SUGGESTIONS)
            return
        session_id = session_id or secrets.token_urlsafe(16)
        body = {
            "prompt": question,
            "mode": mode,
            "session_id": session_id,
            "history": [
                {"role": line.role, "content": line.text}
                for line in conversation[-_HISTORY_LINES:]
                if line.text
            ],
        }
        asked = (*conversation, Line("user", question, words.safe_markdown(question)))
        waiting = Line("assistant", "", '<span class="cl-typing">thinking</span>')
        shut = gr.update(open=False)
        yield _page((*asked, waiting), ("", session_id, shut, shut), _no_suggestions())
        for answer, suggestions in self._answer(body, request):
            form = gr.update(visible=True) if answer.turn_id else gr.skip()
            yield _page((*asked, answer), (gr.skip(), gr.skip(), form, form), suggestions)

    def _answer(
        self, body: dict[str, Any], request: gr.Request
    ) -> Iterator[tuple[Line, list[Any]]]:
        line = Line("assistant", "", "")
        try:
            for event in self._gateway.client(request).chat_stream(body):
                if event.name == "token":
                    text = line.text + str(event.data.get("text", ""))
                    line = replace(line, text=text, shown=words.safe_markdown(text))
                    yield line, _no_suggestions()
                elif event.name == "done":
                    yield self._finished(event.data), _suggestions(event.data)
        except ApiError as error:
            shown = f"{line.shown}\n\n{words.notice(str(error), 'bad')}"
            yield replace(line, shown=shown), _no_suggestions()

    def _finished(self, done: dict[str, Any]) -> Line:
        return Line(
            "assistant",
            str(done.get("answer", "")),
            words.reply(done, self._gateway.link),
            str(done.get("turn_id", "")),
        )

    def _rate(self, conversation: Conversation, request: gr.Request, like: gr.LikeData) -> None:
        position = like.index[0] if isinstance(like.index, (list, tuple)) else like.index
        turn_id = conversation[position].turn_id if position < len(conversation) else ""
        if not turn_id or like.liked not in {True, False}:  # a vote that was taken back
            return
        rating = "up" if like.liked else "down"
        try:
            self._gateway.client(request).submit_feedback(turn_id=turn_id, rating=rating)
        except ApiError as error:
            gr.Warning(str(error), title="Not counted")
        else:
            gr.Info("Your vote is counted.", title="Thank you", duration=4)

    def _intents(self, request: gr.Request) -> Any:
        try:
            names = self._gateway.client(request).intents()
        except ApiError as error:
            gr.Warning(str(error), title="The list of intents is not here")
            names = []
        return gr.update(choices=sorted(names))

    def _send_correction(
        self, conversation: Conversation, label: str | None, better: str, request: gr.Request
    ) -> tuple[Any, ...]:
        turn_id = next((line.turn_id for line in reversed(conversation) if line.turn_id), "")
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


def _page(lines: Conversation, others: tuple[Any, ...], suggestions: list[Any]) -> tuple[Any, ...]:
    """Return the outputs of `_ask`; `others`: the text box, the session, both forms."""
    messages = [{"role": line.role, "content": line.shown} for line in lines]
    return messages, lines, *others, *suggestions


def _no_suggestions() -> list[Any]:
    return [gr.update(visible=False)] * _SUGGESTIONS


def _suggestions(done: dict[str, Any]) -> list[Any]:
    texts = [str(row.get("text", "")) for row in done.get("suggestions") or []][:_SUGGESTIONS]
    shown = [gr.update(value=text, visible=True) for text in texts]
    return shown + _no_suggestions()[len(shown) :]
