"""One message, in order: receive, guard, classify, route, answer, record.

`Turn` is immutable and belongs to one release: a reload replaces it whole, running messages
finish on the old one. Exactly one record is written for each message, also when a step fails or
the client leaves; only guarded text is written, and none when the guard itself failed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

from chatloop.core.ids import TurnIds
from chatloop.core.telemetry import TurnRecord
from chatloop.core.types import (
    PERSON,
    Answer,
    AnsweredBy,
    Exchange,
    Incoming,
    Intent,
    Message,
    Plan,
    Reason,
    Verdict,
)
from chatloop.turn.anomaly import AnomalyRules
from chatloop.turn.answer.ladder import Ladder
from chatloop.turn.classify import Scorer
from chatloop.turn.context import follow_up
from chatloop.turn.guard.base import Guard
from chatloop.turn.guard.stream import StreamGuard
from chatloop.turn.receive import Receive
from chatloop.turn.record import Recorder
from chatloop.turn.route import Facts, Policy, decide

log = logging.getLogger(__name__)
GUARD_FAILED = "guard_failed"
_OF_PLAN = ("step", "arm", "reason", "pscore", "threshold", "certified", "ab_prob", "explore")
_OF_ANSWER = tuple(f.name for f in fields(Answer) if f.name != "text")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a message came to: the reply's words, and the record of how they came about.

    `history`: the guarded lines before it, newest last. `ticket`: of a hand-over, once kept.
    """

    text: str
    record: TurnRecord
    history: tuple[Exchange, ...] = ()
    ticket: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """The six steps, bound to one release. `promise`: its certificate in words."""

    version: str
    ids: TurnIds
    receive: Receive
    guard: Guard
    classify: Scorer
    policy: Policy
    ladder: Ladder
    anomalies: AnomalyRules
    recorder: Recorder
    promise: str = ""
    judged: dict[str, Verdict] = field(default_factory=dict, compare=False)

    async def take(self, incoming: Incoming) -> Outcome:
        """Answer a message whole."""
        async with aclosing(self.stream(incoming)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Outcome):
                    return piece
        raise RuntimeError("a turn ended without an outcome")

    async def stream(
        self, incoming: Incoming, *, turn_id: str | None = None
    ) -> AsyncGenerator[str | Outcome, None]:
        """Yield the pieces of the reply, then the Outcome, once its line is on file.

        `turn_id`: one of `ids`, for a caller that must name the turn before its end.
        """
        draft = _Draft(self.version, turn_id or self.ids.new())
        status = "client_left"
        try:
            message = draft.received(self._received(incoming, draft.turn_id))
            message, verdict = self._guarded(message, draft)
            intent = draft.classified(self.classify(message.text))
            depends = follow_up(message.text, message.history) is not None
            plan = self._plan(message, intent, verdict, depends=depends)
            draft.routed(plan, depends=depends)
            window = partial(StreamGuard, self.guard)
            async with aclosing(self.ladder.stream(plan, message, intent, window)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        draft.answered(piece, self._kept(piece))
                    else:
                        yield piece
            self._flag(message, intent, draft)
            status = "ok"
        except Exception as fault:
            status = "error"
            draft.fields["error"] = type(fault).__name__
            log.exception("turn %s failed", draft.turn_id)
            raise
        finally:
            record = draft.close(status)
            if status != "ok":
                self.recorder.write(record)
        await self.recorder.write_through(record)
        yield Outcome(draft.text, record, draft.history)

    def _received(self, incoming: Incoming, turn_id: str) -> Message:
        """Take the message in; a suggestion that nobody made is dropped, not logged."""
        message = self.receive(incoming, turn_id)
        tapped = message.suggested_intent
        if tapped in {None, PERSON} or self.ladder.content.has_answer(tapped):
            return message
        return replace(message, suggested_intent=None)

    def _guarded(self, message: Message, draft: _Draft) -> tuple[Message, Verdict]:
        """Take personal data out before anything else sees the text; a failing guard drops it."""
        try:
            verdict = self.guard(message.text)
            history = tuple(replace(e, content=self.guard(e.content).text) for e in message.history)
            draft.history = history
        except Exception:
            log.exception("turn %s: a guard failed, the text is dropped", draft.turn_id)
            verdict, history = Verdict("", blocked=True), ()
            draft.fields["flags"] = (GUARD_FAILED,)
        draft.guarded(verdict)
        if verdict.text == message.text and not message.history:
            return message, verdict
        return replace(message, text=verdict.text, history=history), verdict

    def _kept(self, answer: Answer) -> Verdict:
        """What may be kept of an answer. A refusal is our own words: no guard can fail on them.

        Approved answers are texts of the release: each is judged once.
        """
        if answer.answered_by is AnsweredBy.REFUSAL:
            return Verdict(answer.text)
        if answer.answered_by is not AnsweredBy.APPROVED:
            return self.guard(answer.text)
        verdict = self.judged.get(answer.text)
        if verdict is None:
            verdict = self.judged[answer.text] = self.guard(answer.text)
        return verdict

    def _plan(self, message: Message, intent: Intent, verdict: Verdict, *, depends: bool) -> Plan:
        models, content = self.ladder.models, self.ladder.content
        facts = Facts(
            has_answer=content.has_answer(intent.label),
            llm_healthy=models.fault() is None,
            refused=_why_refused(message, verdict),
            person=self._person(message.suggested_intent or intent.label),
            failed_before=message.failures >= self.policy.hand_over_after,
            follow_up=depends,
            tapped=message.suggested_intent is not None,
        )
        return decide(message, intent, self.policy, facts)

    def _person(self, intent: str | None) -> Reason | None:
        if intent == PERSON:
            return Reason.ASKED_FOR_PERSON
        by_setting = intent in self.policy.hand_over_intents
        return Reason.POLICY if by_setting else self.ladder.content.person(intent)

    def _flag(self, message: Message, intent: Intent, draft: _Draft) -> None:
        # Clearly out of scope is no low confidence: it is an answer of its own.
        outside = intent.label is not None and not intent.in_scope
        reasons = self.anomalies.check(message.text, None if outside else intent.confidence)
        draft.fields |= {"anomaly": bool(reasons), "anomaly_reason": reasons}


def _why_refused(message: Message, verdict: Verdict) -> Reason | None:
    if verdict.blocked:
        return Reason.BLOCKED
    return None if message.text else Reason.EMPTY


@dataclass(slots=True)
class _Draft:
    """The record while it grows: each step adds its fields and the time it took."""

    version: str
    turn_id: str
    ts: float = field(default_factory=time.time)
    begun: float = field(default_factory=time.perf_counter)
    last: float = field(default_factory=time.perf_counter)
    text: str = ""
    stage_ms: dict[str, float] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    history: tuple[Exchange, ...] = ()

    def received(self, message: Message) -> Message:
        self.fields |= {
            "request_id": message.request_id,
            "user": message.user,
            "session": message.session,
            "mode": message.mode,
            "context": message.context,
            "suggested_intent": message.suggested_intent,
            "prompt_chars": len(message.text),
        }
        self._mark("receive")
        return message

    def guarded(self, verdict: Verdict) -> None:
        failed = "flags" in self.fields
        prompt = None if failed else verdict.text
        self.fields |= {"prompt": prompt, "pii_prompt": verdict.kinds}
        self._mark("guard")

    def classified(self, intent: Intent) -> Intent:
        self.fields |= {
            "intent": intent.label,
            "confidence": round(intent.confidence, 6),
            "in_scope": intent.in_scope,
        }
        self._mark("classify")
        return intent

    def routed(self, plan: Plan, *, depends: bool) -> None:
        self.fields |= {name: getattr(plan, name) for name in _OF_PLAN}
        self.fields["follow_up"] = depends
        self._mark("route")

    def answered(self, answer: Answer, verdict: Verdict) -> None:
        self.text = answer.text
        self.fields |= {name: getattr(answer, name) for name in _OF_ANSWER}
        self.fields |= {"answer": verdict.text, "pii_answer": verdict.kinds}
        self._mark("answer")

    def close(self, status: str) -> TurnRecord:
        latency_ms = (time.perf_counter() - self.begun) * 1000
        return TurnRecord(
            turn_id=self.turn_id,
            ts=self.ts,
            model_version=self.version,
            stage_ms=self.stage_ms,
            latency_ms=round(latency_ms, 3),
            status=status,
            **self.fields,
        )

    def _mark(self, stage: str) -> None:
        now = time.perf_counter()
        self.stage_ms[stage] = round((now - self.last) * 1000, 3)
        self.last = now
