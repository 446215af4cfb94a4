from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chatloop.core.errors import ReleaseError
from chatloop.core.release import new_version, write_release
from chatloop.core.types import Incoming, Mode
from chatloop.turn.answer.base import Hint
from chatloop.turn.answer.hints import HINTS, HintLadder, LearnedHints, load_hints
from tests.fakes import OUTSIDE, tiny_turn
from tests.scripted import ScriptedModel
from tests.turn.answer.test_ladder import message

LADDER = HintLadder(("concise", "detailed", "quote", "ask back"), 1)


def release_with(tmp_path, part: str | None):
    parts = {} if part is None else {HINTS: part.encode()}
    return write_release(tmp_path, parts, new_version(parts))


@pytest.mark.parametrize(
    ("wanted", "learned", "rung"),
    [(None, None, 1), (None, 2, 2), (0, 2, 0), (3, None, 3), (9, 2, 3), (None, 8, 3)],
)
def test_the_callers_rung_wins_over_the_learned_one_and_both_over_the_start(wanted, learned, rung):
    hints = LearnedHints(LADDER, lambda: learned)
    asked = replace(message(), hint_rung=wanted)
    assert hints(asked) == Hint(rung, LADDER.rungs[rung])


def test_a_learned_rung_is_in_force_with_the_next_message():
    learned = [1]
    hints = LearnedHints(LADDER, lambda: learned[0])
    assert hints(message()).rung == 1
    learned[0] = 2
    assert hints(message()).rung == 2


@pytest.mark.parametrize("wanted", [None, 3])
def test_a_release_without_hints_gives_rung_0_without_text(tmp_path, wanted):
    ladder = load_hints(release_with(tmp_path, None))
    hints = LearnedHints(ladder, lambda: 2)
    assert hints(replace(message(), hint_rung=wanted)) == Hint(0, "")


def test_the_ladder_comes_from_its_part_of_the_release(tmp_path):
    part = json.dumps({"rungs": ["a", "b"], "start": 1})
    assert load_hints(release_with(tmp_path, part)) == HintLadder(("a", "b"), 1)


@pytest.mark.parametrize("part", ["{", "[]", '{"rungs": 3, "start": 0}', '{"rungs": []}'])
def test_a_malformed_part_is_refused(tmp_path, part):
    with pytest.raises(ReleaseError, match="hints cannot be read"):
        load_hints(release_with(tmp_path, part))


async def test_the_hint_reaches_the_model_and_its_rung_the_record(release):
    model = ScriptedModel("Indigo.")
    turn = tiny_turn(release, model=model)
    hinted = replace(turn.ladder.models, hint=LearnedHints(LADDER, lambda: 2))
    content = replace(turn.ladder.content, prompt="Rules:\n- {hint}\n\n{passages}\n")
    turn = replace(turn, ladder=replace(turn.ladder, models=hinted, content=content))
    outcome = await turn.take(Incoming(prompt=OUTSIDE, mode=Mode.LLM))
    assert f"- {LADDER.rungs[2]}\n" in model.asked
    assert outcome.record.hint_rung == 2
