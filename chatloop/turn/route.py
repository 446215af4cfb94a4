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
    the LLM all the same; `llm_on` is False when no LLM is asked by choice.
    """

    experiment: str
    threshold: float
    certified: bool
    explore: float
    llm_on: bool


@dataclass(frozen=True, slots=True)
class _Choice:
    step: Step
    arm: Arm
    reason: Reason
    pscore: float | None


def decide(
    message: Message,
    intent: Intent,
    policy: Policy,
    *,
    has_answer: bool,
    llm_healthy: bool,
    refused: Reason | None = None,
) -> Plan:
    """Return the plan for one message.

    `has_answer`: there is an approved answer for the best label. `llm_healthy`: a language model
    could answer now; without one nothing is explored. `refused`: why there is nothing to answer.
    """
    q = message.ab_prob if policy.llm_on else 0.0
    e = policy.explore if policy.llm_on and llm_healthy else 0.0
    doubt = why_not_local(intent, policy.threshold, has_answer=has_answer)
    if refused:
        choice = _Choice(Step.REFUSE, Arm.FORCED, refused, None)
    elif message.mode is Mode.AUTO:
        choice = _auto(message, policy, doubt, q, e)
    else:
        choice = _forced(message.mode, doubt)
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
