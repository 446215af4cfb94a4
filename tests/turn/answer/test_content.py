from __future__ import annotations

import json

import pytest

from chatloop.core.errors import ReleaseError
from chatloop.core.release import Release, new_version, write_release
from chatloop.turn.answer.content import ANSWERS, MESSAGES, PASSAGES, PROMPT, Content, load_content
from tests.fakes import HINTS
from tests.fakes import MESSAGES as SENTENCES

PARTS = {
    ANSWERS: {"a": {"answer": "Yes.", "page": None, "question": "A?"}},
    PASSAGES: [{"page": "p", "title": "T", "heading": "H", "anchor": "h", "text": "x"}],
    MESSAGES: {"refusal": "No."},
}


def load(tmp_path, **changed: bytes) -> Content:
    names = {"answers": ANSWERS, "passages": PASSAGES, "messages": MESSAGES, "prompt": PROMPT}
    files = {name: json.dumps(part).encode() for name, part in PARTS.items()}
    files |= {PROMPT: "Grüße {passages}".encode()}
    files |= {names[key]: data for key, data in changed.items()}
    return load_content(write_release(tmp_path, files, new_version(files)))


def test_all_texts_come_from_the_release(tmp_path):
    content = load(tmp_path)
    assert content.approved["a"].answer == "Yes."
    assert content.passages[0].heading == "H"
    assert content.messages == {"refusal": "No."}
    assert content.prompt == "Grüße {passages}"


def test_a_built_release_holds_what_the_editor_wrote(release: Release):
    content = load_content(release)
    assert content.messages == SENTENCES
    assert {p.page for p in content.passages} == {"passwords", "billing", "people"}
    assert content.has_answer("reset_password")


@pytest.mark.parametrize("intent", [None, "unknown", "water_plants"])
def test_an_intent_without_words_has_no_answer(release: Release, intent):
    assert not load_content(release).has_answer(intent)


def test_a_question_offers_the_intent_in_plain_words_when_none_is_set(release: Release):
    content = load_content(release)
    assert content.question("water_plants") == "Is it about: water plants?"
    assert content.question("never_heard_of") == "Is it about: never heard of?"
    assert content.question("reset_password").endswith("?")


@pytest.mark.parametrize("part", ["answers", "passages"])
@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff", b'{"a": {"x": 1}}', b'[{"x": 1}]', b'{"a": 1}']
)
def test_malformed_texts_are_refused(tmp_path, part, raw, request):
    with pytest.raises(ReleaseError, match="its texts cannot be read"):
        load(tmp_path, **{part: raw})


@pytest.mark.parametrize(("part", "raw"), [("messages", b"{"), ("prompt", b"\xff\xfe")])
def test_unreadable_sentences_or_prompt_are_refused(tmp_path, part, raw):
    with pytest.raises(ReleaseError, match="its texts cannot be read"):
        load(tmp_path, **{part: raw})


def test_groups_and_hints_come_with_the_texts(release: Release):
    content = load_content(release)
    assert (content.groups["get_invoice"], content.groups["water_plants"]) == ("billing", "")
    assert (content.hints.rungs, content.hints.start) == (HINTS, 0)


def test_an_earlier_release_has_neither(tmp_path):
    content = load(tmp_path)
    assert (content.groups, content.hints.rungs) == ({"a": ""}, ())
