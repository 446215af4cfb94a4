"""What the terminal says about a reply: who answered and why, its sources, its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatloop.core.types import Reason
from chatloop.serve.ui.words import duration, percent, spaced, who_answered

Json = Mapping[str, Any]
WHY: dict[str, str] = {
    Reason.SURE: "sure of the intent",
    Reason.UNSURE: "not sure of the intent",
    Reason.OUT_OF_SCOPE: "out of scope",
    Reason.NO_APPROVED_ANSWER: "no approved answer to this intent",
    Reason.ARM_LLM: "its share of the traffic",
    Reason.EXPLORED: "tried out on the language model",
    Reason.FORCED: "you chose the mode",
    Reason.BLOCKED: "blocked",
    Reason.EMPTY: "nothing was asked",
    Reason.FOLLOW_UP: "follows up on what was said",
    Reason.TAPPED: "you chose it",
    Reason.ASKED_FOR_PERSON: "you asked for a person",
    Reason.REPEATED_FAILURE: "several answers in a row were unsure",
    Reason.POLICY: "a person decides this",
}
HELP = """\
After an answer: y = right, n = wrong (changes how the language model is told to answer, from your
next message on), the right intent by name or number, Enter = skip. Anything else is your next
message.
/mode auto|local|llm   who may answer
/why                   the numbers behind the last answer
/quit                  end, as Ctrl-D does; Ctrl-C stops an answer, at a prompt it ends"""


def summary(done: Json) -> str:
    """Say in one line who answered and why, with which intent, and how fast."""
    why = WHY.get(str((done.get("route") or {}).get("reason")))
    intent = f"{spaced(done['intent'])} {percent(done['confidence'])}" if done.get("intent") else ""
    parts = [who_answered(done), why, intent, duration(done.get("latency_ms"))]
    ticket = (done.get("hand_over") or {}).get("ticket")
    parts += [f"ticket {ticket}"] if ticket else []
    parts += ["this left the machine"] if done.get("remote") else []
    parts += ["interrupted"] if done.get("interrupted") else []
    return " | ".join(part for part in parts if part)


def sources(done: Json, link: Callable[[Json], str]) -> list[str]:
    """Return one line a help passage, with where to read it; each passage once."""
    return list(dict.fromkeys(_source(source, link) for source in done.get("sources") or []))


def _source(source: Json, link: Callable[[Json], str]) -> str:
    title = " · ".join(str(source[key]) for key in ("title", "heading") if source.get(key))
    return f"{title}: {address}" if (address := link(source)) else title


def offers(done: Json) -> list[str]:
    """Return the questions that the bot offers when it was not sure."""
    return [str(offer.get("text", "")) for offer in done.get("suggestions") or []]


def receipt(done: Json) -> list[str]:
    """Return the numbers behind a reply, one a line."""
    route = done.get("route") or {}
    numbers = {
        "turn": done.get("turn_id"),
        "release": done.get("model_version"),
        "answered by": f"{route.get('answered_by')} ({done.get('chosen_model')})",
        "reason": route.get("reason"),
        "intent": f"{done.get('intent')} at {done.get('confidence')}",
        "threshold": f"{route.get('threshold')}{'' if route.get('certified') else ', provisional'}",
        "arm": f"{route.get('arm')}, pscore {route.get('pscore')}",
        "degraded": done.get("degraded_reason") if done.get("degraded") else "no",
        "masked": ", ".join((done.get("guard") or {}).get("pii") or []) or "nothing",
        "latency": f"{done.get('latency_ms')} ms",
    }
    usage = done.get("usage") or {}
    if usage:
        numbers["tokens"] = f"{usage.get('prompt_tokens')} in, {usage.get('completion_tokens')} out"
    return [f"{name:<12} {value}" for name, value in numbers.items()]


def greeting(health: Json) -> str:
    """Say with what one talks."""
    llm = health.get("llm") or {}
    model, state = llm.get("model"), str(llm.get("state", "unknown"))
    named = f"{model} ({spaced(state)})" if model else spaced(state)
    return f"Release {health.get('model_version')}, language model: {named}. /help lists commands."
