"""Turns the API's answers into what people read: badges, sources, states, numbers.

Pure functions from JSON to text or HTML, without Gradio. Whatever came from a customer or a
language model is escaped here: no reply can bring its own HTML or make the browser fetch an image.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

Json = Mapping[str, Any]

_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]*`)", re.DOTALL)
WHO = {
    "approved": "approved answer",
    "llm": "language model",
    "passage": "help page",
    "refusal": "declined",
    "hand_over": "handed over",
}
_LLM_STATES = defaultdict(
    lambda: "is away",
    loading="is loading",
    no_model="is missing",
    model_missing="is not installed",
    breaker_open="is resting after failures",
    busy="is busy",
    no_key="lacks its key",
    bad_key="has a key that is refused",
)
_LLM_TROUBLE = {
    "llm_unreachable": "is away",
    "llm_timeout": "took too long",
    "llm_busy": "is busy",
    "llm_loading": "is still loading",
    "llm_no_model": "is missing",
    "llm_model_missing": "is not installed",
    "llm_breaker_open": "is resting after failures",
    "llm_bad_reply": "gave no usable answer",
    "llm_interrupted": "was interrupted",
    "llm_rejected_request": "refused the request",
    "llm_no_key": "lacks its key",
    "llm_bad_key": "has a key that is refused",
}
_WARNINGS = (
    ("interrupted", True, "interrupted", "the answer broke off"),
    ("supported", False, "no help page covers this", "check the answer before you rely on it"),
    ("remote", True, "left this machine", "a language model elsewhere read the question, masked"),
    ("prompt_cut", True, "shortened", "not all of the conversation and help pages could be read"),
)
"""What a reply may have against it: field, value, chip, its explanation."""

_WHY_PERSON = {
    "asked_for_person": "You asked for one.",
    "repeated_failure": "I could not help with this so far.",
    "policy": "Questions of this kind always go to one.",
}


def safe_markdown(text: str) -> str:
    """Return `text` so that its Markdown shows, but neither HTML nor images do."""
    parts = _CODE.split(text)
    parts[::2] = [
        part.replace("&", "&amp;").replace("<", "&lt;").replace("![", "&#33;[")
        for part in parts[::2]
    ]
    return "".join(parts)


def reply(done: Json, link: Callable[[str], str]) -> str:
    """Return the whole reply as shown: words, hand-over, sources, and the badge under it."""
    text = safe_markdown(str(done.get("answer", "")))
    return f"{text}\n\n{_hand_over(done)}{_sources(done, link)}{badge(done)}"


def stopped(text: str) -> str:
    """Return what had come of a reply, as Markdown that is safe already, marked as stopped."""
    chip = _chip("stopped", "masked", title="you stopped this answer")
    return f'{text}\n\n<div class="cl-badge">{chip}</div>'


def badge(done: Json) -> str:
    """Return the line under a reply: who answered, intent, confidence, latency, what was masked."""
    route = done.get("route") or {}
    kind = "away" if done.get("degraded") else str(route.get("answered_by", ""))
    chips = [_chip(who_answered(done), f"who {kind}")]
    if route.get("reason") == "out_of_scope":
        chips.append(_chip("out of scope", title="no intent fits; the next one is the nearest"))
    if done.get("intent"):
        chips.append(_chip(spaced(done["intent"]), title="intent"))
    chips.append(_chip(percent(done.get("confidence")), title="confidence in the intent"))
    chips.append(_chip(duration(done.get("latency_ms")), title="time to the last word"))
    masked = (done.get("guard") or {}).get("pii") or []
    if masked:
        chips.append(_chip("masked: " + ", ".join(spaced(kind) for kind in masked), "masked"))
    chips += [_chip(text, "masked", title=title) for key, value, text, title in _WARNINGS
              if done.get(key) is value]  # fmt: skip
    return f'<div class="cl-badge">{"".join(chips)}</div>'


def who_answered(done: Json) -> str:
    """Say in plain words whose words the reply is made of."""
    model = str(done.get("chosen_model", ""))
    answered_by = (done.get("route") or {}).get("answered_by", "")
    who = WHO.get(answered_by, answered_by or model)
    if answered_by == "llm":
        who = f"{who} {model.removeprefix('llm/')}"
    elif model == "local" and answered_by == "approved":
        who = f"answered locally · {who}"
    if done.get("degraded"):
        trouble = _LLM_TROUBLE.get(str(done.get("degraded_reason")), "is away")
        who += f" – {_whose_trouble(done, answered_by)} {trouble}"
    return who


def _whose_trouble(done: Json, answered_by: str) -> str:
    """Name what failed: a language model's words may stand although it, or another, did."""
    if answered_by != "llm":
        return "the language model"
    return "it" if done.get("interrupted") else "the one asked first"


def _hand_over(done: Json) -> str:
    """Return the card that says that a person takes over, with the number to ask for."""
    given = done.get("hand_over")
    if not given:
        return ""
    why = _WHY_PERSON.get(str(given.get("reason")), "")
    ticket = given.get("ticket")
    if ticket:
        text = f"<b>A person takes it from here.</b> Ticket {escape(str(ticket))}"
    else:
        text = "<b>This is one for a person.</b>"
    return f'<div class="cl-person">{text}<small>{why}</small></div>'


def _sources(done: Json, link: Callable[[str], str]) -> str:
    links = []
    for source in done.get("sources") or []:
        url = str(source.get("url") or "/manual")
        if not url.startswith(("/", "http://", "https://")):
            continue
        title = ": ".join(str(source[key]) for key in ("title", "heading") if source.get(key))
        links.append(
            f'<a href="{escape(link(url))}" target="_blank" rel="noopener">{escape(title)}</a>'
        )
    if not links:
        return ""
    label = "Nearest help pages" if done.get("supported") is False else "Help pages"
    return f'<div class="cl-sources">{label}: {", ".join(dict.fromkeys(links))}</div>'


def _chip(text: str, kind: str = "", *, title: str = "") -> str:
    return f'<span class="cl-chip {escape(kind)}" title="{escape(title)}">{escape(text)}</span>'


def status_line(health: Json) -> str:
    """Return the line that names the language model in use, or says what to do when it is away."""
    if health.get("status") == "not_ready":
        problem = health.get("model_problem") or "no release is loaded yet"
        return _status(f"Not ready: {problem}; make one with `python train_model.py`.", "bad")
    llm = health.get("llm") or {}
    state, model, hint = (str(llm.get(key) or "") for key in ("state", "model", "hint"))
    if state == "ready":
        away = ", on another machine: messages leave this one" if llm.get("remote") else ""
        return _status(f"Language model {model} is ready{away}", "good")
    if state == "off":
        return _status("No language model in use: approved answers and help pages only", "idle")
    text = f"{f'Language model {model}' if model else 'The language model'} {_LLM_STATES[state]}"
    return _status(f"{text}: {hint}" if hint else text, "away")


def status_away(message: str) -> str:
    """Return the line that says that the API does not answer."""
    return _status(message, "bad")


def _status(text: str, dot: str) -> str:
    return (
        f'<div class="cl-status" role="status"><i class="{dot}"></i><span>{code(text)}</span></div>'
    )


def notice(text: str, kind: str = "note") -> str:
    """Return a framed message: `note`, `good` or `bad`."""
    return f'<div class="cl-notice {kind}" role="status">{code(text)}</div>'


def code(text: str) -> str:
    """Escape `text` and show what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def spaced(name: str) -> str:
    """Turn a name such as `reset_password` into words."""
    return str(name).replace("_", " ")


def percent(share: float | None) -> str:
    """Return a share in [0, 1] in percent, or a dash."""
    return "–" if share is None else f"{share * 100:.0f} %"


def duration(milliseconds: float | None) -> str:
    """Return a duration with the unit that suits it, or a dash."""
    if milliseconds is None:
        return "–"
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"


def count(number: float | None) -> str:
    """Return a number with thin groups of three digits, or a dash."""
    return "–" if number is None else f"{number:,.0f}".replace(",", " ")


def moment(when: str | float | None) -> str:
    """Return a point in time (ISO text or seconds since the epoch) to the minute, in UTC."""
    if isinstance(when, (int, float)):
        return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M")
    return str(when or "–")[:16].replace("T", " ")
