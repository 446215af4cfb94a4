from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from chatloop.core.errors import BackendError, BackendFault
from chatloop.core.release import Release
from chatloop.core.types import (
    Answer,
    AnsweredBy,
    Arm,
    Exchange,
    Intent,
    Message,
    Mode,
    Plan,
    Reason,
    Step,
    Usage,
)
from chatloop.turn.answer.base import Hint, Piece
from chatloop.turn.answer.content import load_content
from chatloop.turn.answer.generate import Models
from chatloop.turn.answer.ladder import Ladder
from chatloop.turn.answer.prompt import NO_PASSAGES
from chatloop.turn.answer.retrieve import load_retriever
from chatloop.turn.guard.pii import redact
from chatloop.turn.guard.stream import StreamGuard
from tests.fakes import MESSAGES
from tests.scripted import Reply, ScriptedModel

SURE = Intent("reset_password", 0.9, in_scope=True)
UNSURE = Intent("reset_password", 0.4, in_scope=True)
OUTSIDE = Intent("reset_password", 0.9, in_scope=False)
APPROVED = "Open the sign-in page and choose Forgot password."


@pytest.fixture
def ladder(release: Release):
    content = load_content(release)

    def make(model: ScriptedModel | None) -> Ladder:
        models = Models((model,) if model else ())
        return Ladder(content, load_retriever(release, content), models, max_tokens=77)

    return make


def plan(step: Step) -> Plan:
    return Plan(
        step=step,
        arm=Arm.LOCAL,
        reason=Reason.UNSURE,
        pscore=1.0,
        threshold=0.6,
        certified=False,
        ab_prob=0.0,
        explore=0.0,
    )


def message(text: str = "rules for a good password", history=()) -> Message:
    return Message(
        turn_id="t",
        text=text,
        mode=Mode.AUTO,
        ab_prob=0.0,
        llm_model=None,
        user=None,
        session=None,
        history=history,
        request_id="",
    )


async def climb(
    ladder: Ladder, step: Step = Step.GENERATE, intent: Intent = UNSURE, msg: Message | None = None
) -> tuple[list[str], Answer]:
    window = partial(StreamGuard, redact)
    stream = ladder.stream(plan(step), msg or message(), intent, window)
    *pieces, answer = [piece async for piece in stream]
    assert isinstance(answer, Answer)
    assert all(isinstance(piece, str) for piece in pieces)
    assert "".join(pieces) == answer.text
    return pieces, answer


async def test_a_generated_answer_comes_in_pieces_and_adds_up(ladder):
    model = ScriptedModel("At least twelve characters.")
    pieces, answer = await climb(ladder(model))
    assert len(pieces) > 1
    assert answer.text == "At least twelve characters."
    assert (answer.answered_by, answer.chosen_model) == (AnsweredBy.LLM, "llm/scripted")
    assert (answer.degraded, answer.interrupted) == (False, False)
    assert answer.usage.completion_tokens == 5
    assert answer.usage.first_token_ms > 0


async def test_the_model_is_asked_with_pages_history_and_the_limit(ladder):
    model = ScriptedModel("fine")
    history = (Exchange("user", "earlier"), Exchange("assistant", "reply"))
    _, answer = await climb(ladder(model), msg=message(history=history))
    (prompt,) = model.prompts
    assert prompt.max_tokens == 77
    assert [e.role for e in prompt.messages] == ["system", "user", "assistant", "user"]
    assert "at least twelve characters" in prompt.messages[0].content
    assert prompt.messages[-1].content == "rules for a good password"
    assert answer.sources[0].heading == "Rules for a good password"


async def test_the_output_guard_stands_between_model_and_customer(ladder):
    model = ScriptedModel("Write to ann@example.com or call 202-555-0143 now.")
    pieces, answer = await climb(ladder(model))
    assert answer.text == "Write to [EMAIL_1] or call [PHONE_1] now."
    assert "ann" not in "".join(pieces)


@pytest.mark.parametrize("intent", [SURE, UNSURE])
async def test_the_plan_is_followed_without_asking_the_model(ladder, intent):
    model = ScriptedModel()
    _, approved = await climb(ladder(model), Step.APPROVED, intent)
    assert (approved.text, approved.degraded) == (APPROVED, False)
    _, passage = await climb(ladder(model), Step.PASSAGE, intent)
    assert (passage.answered_by, passage.degraded) == (AnsweredBy.PASSAGE, False)
    assert passage.text.startswith(MESSAGES["passage_intro_local"])
    assert not model.prompts


async def test_a_refusal_tells_the_empty_message_apart(ladder):
    _, refused = await climb(ladder(None), Step.REFUSE)
    window = partial(StreamGuard, redact)
    nothing = replace(plan(Step.REFUSE), reason=Reason.EMPTY)
    *_, empty = [p async for p in ladder(None).stream(nothing, message(""), UNSURE, window)]
    assert (refused.text, empty.text) == (MESSAGES["refusal"], MESSAGES["empty_message"])


RUNGS = [
    (SURE, "rules for a good password", AnsweredBy.APPROVED),
    (UNSURE, "rules for a good password", AnsweredBy.PASSAGE),
    (OUTSIDE, "rules for a good password", AnsweredBy.PASSAGE),
    (OUTSIDE, "zzz", AnsweredBy.HAND_OVER),
    (UNSURE, "zzz", AnsweredBy.HAND_OVER),
    (Intent(None, 0.0, in_scope=False), "rules for a good password", AnsweredBy.PASSAGE),
    (Intent("water_plants", 0.99, in_scope=True), "rules for a good password", AnsweredBy.PASSAGE),
    (Intent("water_plants", 0.99, in_scope=True), "zzz", AnsweredBy.HAND_OVER),
]


@pytest.mark.parametrize("fault", list(BackendFault))
@pytest.mark.parametrize(("intent", "text", "rung"), RUNGS)
async def test_the_ladder_falls_in_order_and_keeps_the_reason(ladder, fault, intent, text, rung):
    model = ScriptedModel(fault)
    _, answer = await climb(ladder(model), intent=intent, msg=message(text))
    assert answer.answered_by is rung
    assert (answer.degraded, answer.degraded_reason) == (True, fault.value)
    assert answer.chosen_model == "fallback"
    assert not answer.interrupted
    assert len(model.prompts) == 1


@pytest.mark.parametrize(("intent", "text", "rung"), RUNGS)
async def test_a_model_known_to_be_away_is_not_asked(ladder, intent, text, rung):
    model = ScriptedModel()
    model.down = BackendFault.UNREACHABLE
    _, answer = await climb(ladder(model), intent=intent, msg=message(text))
    assert (answer.answered_by, answer.degraded_reason) == (rung, "llm_unreachable")
    assert not model.prompts


async def test_no_model_at_all_is_a_fallback_when_one_was_asked_for(ladder):
    _, answer = await climb(ladder(None))
    assert (answer.degraded, answer.degraded_reason) == (True, "llm_no_model")


@pytest.mark.parametrize("intent", [SURE, UNSURE])
async def test_nothing_is_spliced_after_the_first_character(ladder, intent):
    model = ScriptedModel(Reply(("Choose a ", "long pass"), BackendFault.TIMEOUT))
    _, answer = await climb(ladder(model), intent=intent)
    assert answer.text == "Choose a long "
    assert (answer.interrupted, answer.degraded) == (True, True)
    assert answer.degraded_reason == "llm_timeout"
    assert (answer.answered_by, answer.chosen_model) == (AnsweredBy.LLM, "llm/scripted")


async def test_held_text_is_not_a_first_character(ladder):
    model = ScriptedModel(Reply(("Choose",), BackendFault.INTERRUPTED))
    _, answer = await climb(ladder(model), intent=SURE)
    assert answer.text.endswith(APPROVED)
    assert "Choose " not in answer.text.replace(APPROVED, "")
    assert not answer.interrupted


async def test_half_an_address_is_not_shown_when_the_answer_breaks_off(ladder):
    model = ScriptedModel(Reply(("Write to ann@exam",), BackendFault.TIMEOUT))
    _, answer = await climb(ladder(model))
    assert answer.text == "Write to "


async def test_usage_before_the_break_is_kept(ladder):
    class Model(ScriptedModel):
        async def stream(self, prompt):
            yield Piece("one two ", usage=Usage(prompt_tokens=3))
            raise BackendError(BackendFault.TIMEOUT, "late")

    _, answer = await climb(ladder(Model()))
    assert answer.usage.prompt_tokens == 3
    assert answer.usage.first_token_ms > 0


async def test_only_backend_errors_are_swallowed(ladder):
    with pytest.raises(ZeroDivisionError):
        await climb(ladder(ScriptedModel(Reply((), ZeroDivisionError()))))


async def test_the_threshold_of_the_plan_decides_who_stands_in(ladder):
    at = replace(SURE, confidence=0.6)
    below = replace(SURE, confidence=0.5999)
    for intent, rung in ((at, AnsweredBy.APPROVED), (below, AnsweredBy.PASSAGE)):
        _, answer = await climb(ladder(ScriptedModel(BackendFault.BUSY)), intent=intent)
        assert answer.answered_by is rung


async def test_the_prompt_has_the_hint_and_fits_the_window_of_the_model_asked(ladder):
    model = ScriptedModel("An answer.", "An answer.")
    bot = ladder(model)
    bot = replace(bot, content=replace(bot.content, prompt="{hint}\n{passages}"))
    bot = replace(bot, models=replace(bot.models, hint=lambda _: Hint(1, "Quote the source.")))
    cut = []
    for model.context_tokens in (4096, 100):
        _, answer = await climb(bot)
        cut.append(answer.prompt_cut)
    assert model.prompts[0].messages[0].content.startswith("Quote the source.\n")
    assert cut == [False, True]


async def test_what_no_passage_supports_is_generated_without_sources_and_offers_a_person(ladder):
    model = ScriptedModel("I could not find that.")
    _, answer = await climb(ladder(model), msg=message("zzz"))
    assert NO_PASSAGES in model.prompts[0].messages[0].content
    assert answer.sources == ()
    assert [s.text for s in answer.suggestions] == [MESSAGES["talk_to_person_question"]]
    _, supported = await climb(ladder(ScriptedModel("Twelve characters.")))
    assert supported.suggestions == ()


async def test_a_follow_up_is_searched_with_the_question_before_it(ladder):
    model = ScriptedModel("Twelve.")
    asked = (Exchange("user", "rules for a good password"), Exchange("assistant", "Long ones."))
    follow_up = replace(plan(Step.GENERATE), reason=Reason.FOLLOW_UP)
    window = partial(StreamGuard, redact)
    said = message("zzz", history=asked)
    *_, answer = [p async for p in ladder(model).stream(follow_up, said, UNSURE, window)]
    assert answer.sources[0].heading == "Rules for a good password"
