from __future__ import annotations

import random
from dataclasses import replace
from itertools import product
from math import sqrt

import pytest

from chatloop.core.types import Arm, Intent, Message, Mode, Plan, Reason, Step
from chatloop.turn.route import Facts, Policy, decide
from tests.conftest import read_cases

GRID = list(product((0.0, 0.01, 0.2, 0.5, 0.9, 1.0), repeat=2))
SURE = Intent("reset_password", 0.9, in_scope=True)
UNSURE = Intent("reset_password", 0.3, in_scope=True)
POLICY = Policy(experiment="test", threshold=0.6, certified=False, explore=0.0, llm_on=True)
MESSAGE = Message(
    turn_id="t",
    text="hi",
    mode=Mode.AUTO,
    ab_prob=0.0,
    llm_model=None,
    user=None,
    session=None,
    history=(),
    request_id="",
)
CASES = read_cases("route.jsonl")


def plan(
    intent: Intent = SURE,
    *,
    q: float = 0.0,
    e: float = 0.0,
    user: str | None = None,
    turn: str = "t",
    healthy: bool = True,
) -> Plan:
    message = replace(MESSAGE, ab_prob=q, user=user, turn_id=turn)
    policy = replace(POLICY, explore=e)
    return decide(message, intent, policy, Facts(has_answer=True, llm_healthy=healthy))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_each_case_of_the_table_is_decided_as_written(case):
    decided = decide(
        replace(MESSAGE, mode=Mode(case["mode"]), ab_prob=case["ab_prob"]),
        Intent(case["label"], case["confidence"], in_scope=case["in_scope"]),
        replace(
            POLICY,
            threshold=case["threshold"],
            explore=case["explore"],
            llm_on=case["llm_on"],
        ),
        Facts(
            has_answer=case["has_answer"],
            llm_healthy=case["healthy"],
            refused=Reason.BLOCKED if case["blocked"] else None,
        ),
    )
    assert {name: getattr(decided, name) for name in case["expected"]} == case["expected"]


@pytest.mark.parametrize(("q", "e"), GRID)
def test_the_pscore_is_the_chance_of_the_action_chosen(q, e):
    seen = set()
    for unit in range(200):
        decided = plan(q=q, e=e, user=f"u{unit}", turn=f"t{unit}")
        seen.add(decided.step)
        to_llm = decided.step is Step.GENERATE
        assert decided.pscore == (q + (1 - q) * e if to_llm else (1 - q) * (1 - e))
        assert plan(UNSURE, q=q, e=e, user=f"u{unit}", turn=f"t{unit}").pscore == 1.0
        assert (decided.ab_prob, decided.explore) == (q, e)
    if 0.05 < q + (1 - q) * e < 0.95:
        assert seen == {Step.GENERATE, Step.APPROVED}


@pytest.mark.parametrize(("q", "e"), GRID)
def test_the_share_over_many_units_agrees_with_the_pscore(q, e, seed):
    """The 99 % interval of 4,000 independent units holds the stated chance."""
    rng, n = random.Random(f"{seed} {q} {e}"), 4000
    units = [f"u{rng.random()}" for _ in range(n)]
    decided = [plan(q=q, e=e, user=unit, turn=f"t{unit}") for unit in units]
    expected = q + (1 - q) * e
    # 36 looks: each is judged at 1 - 0.01 / 36, so that all of them hold with 99 %.
    half = 3.64 * sqrt(expected * (1 - expected) / n)
    share = sum(p.step is Step.GENERATE for p in decided) / n
    arm = sum(p.arm is Arm.LLM for p in decided) / n
    assert abs(share - expected) <= half
    assert abs(arm - q) <= 3.64 * sqrt(q * (1 - q) / n)


def test_a_user_stays_in_the_arm_and_exploration_goes_by_turn():
    arms = [{plan(q=0.5, user=f"u{u}", turn=f"t{t}").arm for t in range(20)} for u in range(40)]
    assert all(len(arm) == 1 for arm in arms)
    assert set.union(*arms) == {Arm.LOCAL, Arm.LLM}
    reasons = {plan(e=0.5, user="u", turn=f"t{t}").reason for t in range(40)}
    assert reasons == {Reason.SURE, Reason.EXPLORED}


def test_a_larger_share_only_adds_users_to_the_arm():
    for user in (f"u{i}" for i in range(100)):
        arms = [plan(q=q / 10, user=user).arm is Arm.LLM for q in range(11)]
        assert arms == sorted(arms)


def test_another_experiment_draws_anew():
    users = [replace(MESSAGE, ab_prob=0.5, user=f"u{i}") for i in range(200)]

    def arms(experiment: str) -> list[Arm]:
        policy = replace(POLICY, experiment=experiment)
        decided = (decide(m, SURE, policy, Facts(has_answer=True, llm_healthy=True)) for m in users)
        return [p.arm for p in decided]

    assert 60 < sum(a is b for a, b in zip(arms("one"), arms("two"), strict=True)) < 140


@pytest.mark.parametrize("mode", [Mode.LOCAL, Mode.LLM])
@pytest.mark.parametrize("intent", [SURE, UNSURE])
def test_forced_turns_never_count_in_experiments(mode, intent):
    for unit in range(50):
        message = replace(MESSAGE, mode=mode, ab_prob=0.5, user=f"u{unit}")
        policy = replace(POLICY, explore=0.5)
        decided = decide(message, intent, policy, Facts(has_answer=True, llm_healthy=True))
        assert (decided.arm, decided.pscore) == (Arm.FORCED, None)


def test_the_arm_does_not_depend_on_health_but_exploration_stops():
    for unit in range(100):
        up = plan(q=0.5, e=0.5, user=f"u{unit}")
        down = plan(q=0.5, e=0.5, user=f"u{unit}", healthy=False)
        assert up.arm is down.arm
        assert down.explore == 0.0
        assert down.reason is not Reason.EXPLORED


def test_the_numbers_of_the_decision_are_in_the_plan():
    policy = replace(POLICY, threshold=0.77, certified=True)
    decided = decide(MESSAGE, SURE, policy, Facts(has_answer=True, llm_healthy=True))
    assert (decided.threshold, decided.certified) == (0.77, True)


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.LOCAL])
def test_a_tapped_suggestion_is_answered_at_once_whatever_the_draw(mode):
    facts = Facts(has_answer=False, llm_healthy=True, follow_up=True, tapped=True)
    decided = decide(replace(MESSAGE, mode=mode, ab_prob=1.0), UNSURE, POLICY, facts)
    assert (decided.step, decided.reason) == (Step.APPROVED, Reason.TAPPED)
    assert (decided.arm, decided.pscore) == (Arm.FORCED, None)


@pytest.mark.parametrize("why", [Reason.ASKED_FOR_PERSON, Reason.REPEATED_FAILURE, Reason.POLICY])
def test_who_should_get_a_person_gets_one_in_either_arm(why):
    facts = Facts(has_answer=True, llm_healthy=True, person=why)
    for q in (0.0, 1.0):
        decided = decide(replace(MESSAGE, ab_prob=q), SURE, POLICY, facts)
        assert (decided.step, decided.reason, decided.pscore) == (Step.HAND_OVER, why, None)


def test_a_follow_up_is_never_answered_by_the_intent_model_alone():
    facts = Facts(has_answer=True, llm_healthy=True, follow_up=True)
    auto = decide(MESSAGE, SURE, POLICY, facts)
    assert (auto.step, auto.reason) == (Step.GENERATE, Reason.FOLLOW_UP)
    local = decide(replace(MESSAGE, mode=Mode.LOCAL), SURE, POLICY, facts)
    assert (local.step, local.reason) == (Step.PASSAGE, Reason.FOLLOW_UP)


def test_mode_llm_asks_the_language_model_whatever_the_message():
    facts = Facts(has_answer=True, llm_healthy=True, person=Reason.POLICY, tapped=True)
    decided = decide(replace(MESSAGE, mode=Mode.LLM), SURE, POLICY, facts)
    assert decided.step is Step.GENERATE


DOUBTS = {
    "unsure": UNSURE,
    "out_of_scope": replace(SURE, in_scope=False),
    "abstained": Intent(None, 0.0, in_scope=False),
}


@pytest.mark.parametrize("why", [Reason.ASKED_FOR_PERSON, Reason.POLICY])
@pytest.mark.parametrize("intent", DOUBTS.values(), ids=DOUBTS)
def test_an_intent_in_doubt_hands_nobody_over_unless_it_was_tapped(why, intent):
    facts = Facts(has_answer=True, llm_healthy=True, person=why)
    assert decide(MESSAGE, intent, POLICY, facts).step is Step.GENERATE
    decided = decide(MESSAGE, intent, POLICY, replace(facts, tapped=True))
    assert (decided.step, decided.reason) == (Step.HAND_OVER, why)


def test_an_intent_that_a_person_takes_needs_no_approved_words():
    facts = Facts(has_answer=False, llm_healthy=True, person=Reason.POLICY)
    assert decide(MESSAGE, SURE, POLICY, facts).step is Step.HAND_OVER
    assert decide(MESSAGE, UNSURE, POLICY, facts).step is Step.GENERATE


def test_the_words_of_a_follow_up_hand_nobody_over():
    facts = Facts(has_answer=True, llm_healthy=True, person=Reason.POLICY, follow_up=True)
    assert decide(MESSAGE, SURE, POLICY, facts).reason is Reason.FOLLOW_UP


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.LOCAL])
@pytest.mark.parametrize("intent", DOUBTS.values(), ids=DOUBTS)
def test_one_doubt_more_after_repeated_failure_goes_to_a_person(mode, intent):
    facts = Facts(has_answer=True, llm_healthy=True, failed_before=True)
    decided = decide(replace(MESSAGE, mode=mode), intent, POLICY, facts)
    assert (decided.step, decided.reason) == (Step.HAND_OVER, Reason.REPEATED_FAILURE)
    assert (decided.arm, decided.pscore) == (Arm.FORCED, None)


def test_after_repeated_failure_a_sure_or_tapped_message_is_answered():
    facts = Facts(has_answer=True, llm_healthy=True, failed_before=True)
    assert decide(MESSAGE, SURE, POLICY, facts).reason is Reason.SURE
    assert decide(MESSAGE, UNSURE, POLICY, replace(facts, tapped=True)).reason is Reason.TAPPED
    by_llm = decide(replace(MESSAGE, mode=Mode.LLM), UNSURE, POLICY, facts)
    assert by_llm.step is Step.GENERATE


def test_a_refusal_comes_before_any_person():
    facts = Facts(
        has_answer=True,
        llm_healthy=True,
        refused=Reason.BLOCKED,
        person=Reason.POLICY,
        failed_before=True,
    )
    assert decide(MESSAGE, SURE, POLICY, facts).step is Step.REFUSE
