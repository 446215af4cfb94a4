from __future__ import annotations

import random

import pytest

from chatloop.turn.answer.llm.breaker import Breaker, BreakerLimits, BreakerState, OpenedOn, Outcome


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker(BreakerLimits(), clock)


def record(breaker, *outcomes):
    for outcome in outcomes:
        breaker.record(outcome)


def test_a_new_breaker_lets_customers_through(breaker):
    assert breaker.allows()
    assert breaker.state is BreakerState.CLOSED
    assert breaker.reason is None


def test_three_unreachable_in_a_row_open_it(breaker):
    record(breaker, *[Outcome.UNREACHABLE] * 2)
    assert breaker.allows()
    record(breaker, Outcome.UNREACHABLE)
    assert not breaker.allows()
    assert breaker.reason is OpenedOn.UNREACHABLE


@pytest.mark.parametrize("between", [Outcome.SUCCESS, Outcome.FAILED])
def test_an_answer_between_breaks_the_row(breaker, between):
    for _ in range(2):
        record(breaker, Outcome.UNREACHABLE, Outcome.UNREACHABLE, Outcome.SILENT, between)
    assert breaker.allows()


def test_two_silences_in_a_row_open_it(breaker):
    record(breaker, Outcome.SILENT)
    assert breaker.allows()
    record(breaker, Outcome.SILENT)
    assert breaker.reason is OpenedOn.SILENT


def test_half_of_ten_calls_failed_opens_it(breaker):
    record(breaker, *[Outcome.SUCCESS, Outcome.FAILED] * 4, Outcome.SUCCESS)
    assert breaker.allows()
    record(breaker, Outcome.FAILED)
    assert breaker.reason is OpenedOn.FAILURE_RATE


def test_less_than_half_of_many_calls_does_not_open_it(breaker):
    record(breaker, *[Outcome.SUCCESS, Outcome.SUCCESS, Outcome.FAILED] * 20)
    assert breaker.allows()


def test_calls_older_than_the_window_are_forgotten(breaker, clock):
    record(breaker, *[Outcome.FAILED] * 9)
    clock.now += 31
    record(breaker, Outcome.FAILED)
    assert breaker.allows()


def test_late_results_do_not_count_while_it_is_open(breaker):
    record(breaker, *[Outcome.SILENT] * 2)
    record(breaker, Outcome.SUCCESS, *[Outcome.UNREACHABLE] * 5)
    assert breaker.reason is OpenedOn.SILENT


def test_the_server_answering_closes_what_opened_on_absence_at_once(breaker):
    record(breaker, *[Outcome.UNREACHABLE] * 3)
    breaker.server_answered()
    assert breaker.allows()
    record(breaker, *[Outcome.UNREACHABLE] * 2)
    assert breaker.allows(), "the row starts afresh"


def test_a_failure_rate_needs_the_pause_and_then_an_answer(breaker, clock):
    record(breaker, *[Outcome.FAILED] * 10)
    breaker.server_answered()
    assert breaker.state is BreakerState.OPEN
    clock.now += 5
    assert breaker.state is BreakerState.HALF_OPEN
    assert not breaker.begin_trial(), "GET /api/version is its trial, not a generation"
    breaker.server_answered()
    assert breaker.state is BreakerState.CLOSED


def test_after_silence_an_answering_server_proves_nothing(breaker, clock):
    record(breaker, *[Outcome.SILENT] * 2)
    clock.now += 100
    breaker.server_answered()
    assert not breaker.allows()


def test_after_silence_one_trial_at_a_time(breaker, clock):
    record(breaker, *[Outcome.SILENT] * 2)
    assert not breaker.begin_trial(), "not before the pause is over"
    clock.now += 5
    assert [breaker.begin_trial() for _ in range(3)] == [True, False, False]
    assert breaker.state is BreakerState.HALF_OPEN
    assert not breaker.allows(), "customers are never the trial"
    breaker.end_trial(True)
    assert breaker.allows()


def test_failed_trials_double_the_pause_up_to_a_minute_and_success_resets_it(breaker, clock):
    record(breaker, *[Outcome.SILENT] * 2)
    for pause_s in (5, 10, 20, 40, 60, 60):
        clock.now += pause_s - 0.01
        assert not breaker.begin_trial()
        clock.now += 0.01
        assert breaker.begin_trial()
        breaker.end_trial(False)
    clock.now += 60
    assert breaker.begin_trial()
    breaker.end_trial(True)
    record(breaker, *[Outcome.SILENT] * 2)
    clock.now += 5
    assert breaker.begin_trial()


def test_a_failed_load_waits_for_a_trial_generation(breaker, clock):
    breaker.load_failed()
    assert breaker.reason is OpenedOn.LOAD_FAILED
    breaker.server_answered()
    assert not breaker.allows()
    clock.now += 5
    assert breaker.begin_trial()


def test_the_end_of_a_trial_that_never_began_changes_nothing(breaker):
    record(breaker, *[Outcome.SILENT] * 2)
    breaker.end_trial(True)
    assert not breaker.allows()


def test_whatever_happens_it_can_close_again(clock):
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    breaker = Breaker(BreakerLimits(), clock)
    for _ in range(3000):
        clock.now += rng.expovariate(1)
        act = rng.choice([
            lambda: breaker.record(rng.choice(list(Outcome))),
            breaker.load_failed, breaker.server_answered, breaker.begin_trial,
            lambda: breaker.end_trial(rng.random() < 0.5),
        ])  # fmt: skip
        act()
        assert breaker.allows() == (breaker.state is BreakerState.CLOSED)
    clock.now += 61
    breaker.server_answered()
    breaker.begin_trial()
    breaker.end_trial(True)
    assert breaker.allows()
