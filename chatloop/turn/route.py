"""Step 4: who answers, and with what probability that was decided. One pure function.

The certificate of a release is computed with this same function, so what is promised is what is
served. What happens later (failure, fallback) is an outcome, not a decision.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatloop.core.ids import bucket
from chatloop.core.types import Arm, Intent, Message, Mode, Plan, Reason, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the decision rests on besides the message.

    `threshold` in [0, 1] acts at `>=`; `explore` is the share of sure local turns that go to
    the LLM all the same; `llm_on` is False when no LLM is asked by choice. `hand_over_intents` go
    to a person; so does an unsure message after `hand_over_after` unsure replies in a row.
    """

    experiment: str
    threshold: float
    certified: bool
    explore: float
    llm_on: bool
    hand_over_intents: frozenset[str] = frozenset()
    hand_over_after: int = 2


@dataclass(frozen=True, slots=True)
class _Choice:
    step: Step
    arm: Arm
    reason: Reason
    pscore: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of this message besides its intent.

    `has_answer`: there is an approved answer for the best label. `llm_healthy`: a language model
    could answer now; without one nothing is explored. `refused`: why there is nothing to answer.
    `person`: why its intent, the tapped one first, belongs to a person. `failed_before`: so many
    unsure replies came before that one more should not. `follow_up`: it means nothing without what
    came before. `tapped`: it is a suggestion that can be answered at once.
    """

    has_answer: bool
    llm_healthy: bool
    refused: Reason | None = None
    person: Reason | None = None
    failed_before: bool = False
    follow_up: bool = False
    tapped: bool = False


def decide(message: Message, intent: Intent, policy: Policy, facts: Facts) -> Plan:
    """Return the plan for one message.

    Refusals come first, then a person, then what was tapped, where one may choose at all
    (`mode=llm` asks for a language model whatever the message); the rest is drawn.
    """
    q = message.ab_prob if policy.llm_on else 0.0
    e = policy.explore if policy.llm_on and facts.llm_healthy else 0.0
    doubt = why_not_local(intent, policy.threshold, has_answer=facts.has_answer)
    doubt = Reason.FOLLOW_UP if facts.follow_up else doubt
    choice = _settled(message.mode, facts, _why_person(intent, policy, facts, doubt))
    if choice is None and message.mode is Mode.AUTO:
        choice = _auto(message, policy, doubt, q, e)
    choice = choice or _forced(message.mode, doubt)
    return Plan(
        step=choice.step,
        arm=choice.arm,
        reason=choice.reason,
        pscore=choice.pscore,
        threshold=policy.threshold,
        certified=policy.certified,
        ab_prob=q,
        explore=e,
    )


def _settled(mode: Mode, facts: Facts, person: Reason | None) -> _Choice | None:
    """Return what is decided before any draw, and so never counts in experiments."""
    if facts.refused:
        return _Choice(Step.REFUSE, Arm.FORCED, facts.refused, None)
    if mode is Mode.LLM:
        return None
    if person:
        return _Choice(Step.HAND_OVER, Arm.FORCED, person, None)
    if facts.tapped:
        return _Choice(Step.APPROVED, Arm.FORCED, Reason.TAPPED, None)
    return None


def _why_person(
    intent: Intent, policy: Policy, facts: Facts, doubt: Reason | None
) -> Reason | None:
    """Return why a person takes over: a sure or tapped intent's own reason, or one doubt more."""
    known = not facts.follow_up and not why_not_local(intent, policy.threshold, has_answer=True)
    if facts.person and (facts.tapped or known):
        return facts.person
    return Reason.REPEATED_FAILURE if facts.failed_before and doubt and not facts.tapped else None


def why_not_local(intent: Intent, threshold: float, *, has_answer: bool) -> Reason | None:
    """Return why the approved answer may not be given; None when it may."""
    if intent.label is None or not intent.in_scope:
        return Reason.OUT_OF_SCOPE
    if intent.confidence < threshold:
        return Reason.UNSURE
    return None if has_answer else Reason.NO_APPROVED_ANSWER


def _forced(mode: Mode, doubt: Reason | None) -> _Choice:
    if mode is Mode.LLM:
        return _Choice(Step.GENERATE, Arm.FORCED, Reason.FORCED, None)
    step = Step.PASSAGE if doubt else Step.APPROVED
    return _Choice(step, Arm.FORCED, doubt or Reason.FORCED, None)


def _auto(message: Message, policy: Policy, doubt: Reason | None, q: float, e: float) -> _Choice:
    """Draw the arm by unit and the exploration by turn; state the chance of what came out.

    Sure: llm with q + (1 - q) e, local with (1 - q)(1 - e). Unsure: llm with 1.
    """
    to_llm = bucket(policy.experiment, message.unit) < q
    arm = Arm.LLM if to_llm else Arm.LOCAL
    if not policy.llm_on:
        return _Choice(Step.PASSAGE if doubt else Step.APPROVED, arm, doubt or Reason.SURE, 1.0)
    if doubt:
        return _Choice(Step.GENERATE, arm, Reason.ARM_LLM if to_llm else doubt, 1.0)
    if to_llm:
        return _Choice(Step.GENERATE, arm, Reason.ARM_LLM, q + (1 - q) * e)
    if bucket(policy.experiment, "explore", message.turn_id) < e:
        return _Choice(Step.GENERATE, arm, Reason.EXPLORED, q + (1 - q) * e)
    return _Choice(Step.APPROVED, arm, Reason.SURE, (1 - q) * (1 - e))
