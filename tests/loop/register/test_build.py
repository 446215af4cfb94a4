from __future__ import annotations

import io
import json
from dataclasses import replace

import joblib
import pytest

from chatloop.core.errors import DataError, ReleaseError
from chatloop.core.release import CERTIFICATE, GOLDEN, REPORT, list_versions, read_pointer
from chatloop.core.types import OOS
from chatloop.loop.data.rows import Part, fingerprint
from chatloop.loop.register import build
from chatloop.loop.register.build import METADATA, PIPELINE, build_release, read_texts
from chatloop.loop.register.search_parts import QUESTIONS
from chatloop.turn.answer.content import ANSWERS, MESSAGES, PASSAGES, PROMPT, load_content
from chatloop.turn.answer.hints import HINTS
from chatloop.turn.answer.retrieve import PARTS as SEARCH
from chatloop.turn.classify import ARRAYS, SPEC, load
from tests.fakes import GOLDEN as GOLDEN_PHRASES
from tests.fakes import SURE, tiny_built, tiny_rows, tiny_training

MODEL = {ARRAYS, SPEC, PIPELINE, METADATA, CERTIFICATE, REPORT}
PARTS = MODEL | {GOLDEN, ANSWERS, PASSAGES, MESSAGES, HINTS, PROMPT, QUESTIONS} | set(SEARCH)


def test_a_release_holds_every_part_and_verifies(release):
    assert set(release.digests) == PARTS
    release.verify()


def test_the_server_reads_what_the_trainer_measured(release):
    scorer = load(release)
    pipeline = joblib.load(io.BytesIO(release.read(PIPELINE)))
    assert list(scorer.labels) == list(pipeline.classes_)
    assert scorer(SURE).label == "reset_password"


def test_the_metadata_tells_how_the_model_came_about(release):
    metadata = json.loads(release.read(METADATA))
    assert metadata["version"] == release.version
    assert metadata["data_fingerprint"] == fingerprint(tiny_rows())
    assert metadata["rows"] == {"fit": 60, "calibrate": 15, "test": 15}
    assert metadata["sources"] == {"seed": 90}
    assert metadata["intents"] == 4
    assert metadata["test"]["accuracy"]["n"] == 15
    assert metadata["libraries"]["numpy"]


def test_without_enough_data_the_certificate_says_so(release):
    certificate = json.loads(release.read(CERTIFICATE))
    assert certificate["state"] == "not_enough_data"
    assert certificate["certified"] is False
    assert certificate["threshold"] >= 0.6


def test_the_golden_phrases_come_with_what_the_model_makes_of_them(release):
    golden = json.loads(release.read(GOLDEN))
    assert [(g["text"], g["intent"]) for g in golden] == list(GOLDEN_PHRASES)
    scorer = load(release)
    assert all(scorer(g["text"]).label == g["predicted"] for g in golden)


def test_the_same_data_and_seed_give_the_same_model_byte_for_byte(home, release):
    built = tiny_built(home)
    for part in (
        ARRAYS,
        SPEC,
        GOLDEN,
        ANSWERS,
        PASSAGES,
        MESSAGES,
        HINTS,
        PROMPT,
        QUESTIONS,
        *SEARCH,
    ):
        assert built.release.read(part) == release.read(part), part
    certificates = [json.loads(r.read(CERTIFICATE)) for r in (release, built.release)]
    assert [c.pop("made_at") is not None for c in certificates] == [True, True]
    assert certificates[0] == certificates[1]
    assert built.release.version != release.version
    assert built.golden_counts == (2, 2)


def test_another_seed_gives_another_model(home, release):
    assert tiny_built(home, tiny_training(seed=8)).release.read(ARRAYS) != release.read(ARRAYS)


def test_building_promotes_nothing(home):
    tiny_built(home)
    assert read_pointer(home / "models") is None
    assert len(list_versions(home / "models")) == 1


def test_an_intent_without_an_answer_or_a_seed_is_laid_out_empty(release):
    content = load_content(release)
    assert content.approved["water_plants"].answer == ""
    assert content.approved["water_plants"].question == ""
    assert content.approved["reset_password"].question.endswith("?")
    assert OOS not in content.approved


def texts(home, **answers: str) -> dict[str, dict]:
    training = replace(tiny_training(), answers=answers)
    return json.loads(read_texts(home / "data", training)[ANSWERS])


def test_a_proposed_answer_counts_until_the_file_has_one(home):
    entries = texts(home, water_plants="Twice a week.", reset_password="Never mind.")
    assert entries["water_plants"]["answer"] == "Twice a week."
    assert entries["reset_password"]["answer"].startswith("Open the sign-in page")


def test_feedback_weighs_more_than_a_seed_row(home, monkeypatch):
    seen = {}

    def fit(texts, _labels, weights, **_options):
        seen.update(zip(texts, weights, strict=True))
        raise DataError("far enough")

    monkeypatch.setattr(build, "fit", fit)
    rows = tiny_rows()
    rows[0] = replace(rows[0], source="feedback")
    with pytest.raises(DataError, match="far enough"):
        tiny_built(home, replace(tiny_training(), rows=rows))
    assert seen[rows[0].text] == build.FEEDBACK_WEIGHT > 1.0
    assert set(seen) == {row.text for row in rows if row.split == Part.FIT}
    assert seen[rows[1].text] == 1.0


def test_a_scorer_that_differs_from_the_pipeline_is_not_released(home, monkeypatch):
    monkeypatch.setattr(build, "largest_difference", lambda *_: 1e-4)
    with pytest.raises(ReleaseError, match=r"differs from the pipeline by 1\.00e-04"):
        tiny_built(home)
    assert list_versions(home / "models") == []


def test_progress_is_told(home):
    said = []
    build_release(home / "data", home / "models", tiny_training(), said.append)
    assert said[0] == "training on 60 rows of 5 labels ..."
    assert "measuring on 15 test rows ..." in said


def test_one_intent_alone_cannot_be_trained(home):
    rows = [row for row in tiny_rows() if row.intent == "get_invoice"]
    with pytest.raises(DataError, match="at least two intents"):
        tiny_built(home, replace(tiny_training(), rows=rows))


def test_a_small_set_without_test_rows_still_makes_a_release(home):
    rows = [row for row in tiny_rows() if row.split == Part.FIT]
    built = tiny_built(home, replace(tiny_training(), rows=rows))
    assert built.evaluation.accuracy.n == 0
    assert built.certificate["threshold"] > 1.0
    load(built.release)


BROKEN = {
    "answers.yaml": ("answers: [", "not valid YAML"),
    "golden.csv": ("text,intent\nx\n", "row 2"),
    "messages.yaml": ("en: {}", "is missing"),
    "hints.yaml": ("rungs:\n  - 5\n", "line 2"),
    "knowledge/billing.md": ("no front matter", "line 1"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_content_stops_the_release_and_is_named(home, name):
    content, message = BROKEN[name]
    (home / "data" / name).write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        tiny_built(home)
    assert name.split("/")[-1] in str(caught.value)
    assert list_versions(home / "models") == []


def test_an_answer_that_names_no_page_is_refused(home):
    (home / "data" / "knowledge" / "billing.md").unlink()
    with pytest.raises(DataError, match=r"`get_invoice`: there is no help page `billing\.md`"):
        tiny_built(home)


def test_a_missing_prompt_is_a_data_error(home):
    (home / "data" / "prompt.txt").unlink()
    with pytest.raises(DataError, match=r"prompt\.txt"):
        read_texts(home / "data", tiny_training())


def test_a_prompt_that_the_server_cannot_read_is_a_data_error(home):
    (home / "data" / "prompt.txt").write_bytes(b"caf\xe9 {passages}")
    with pytest.raises(DataError, match=r"prompt\.txt"):
        read_texts(home / "data", tiny_training())


def test_a_prompt_without_a_place_for_the_help_texts_is_a_data_error(home):
    (home / "data" / "prompt.txt").write_text("You are helpful.")
    with pytest.raises(DataError, match=r"\{passages\}"):
        read_texts(home / "data", tiny_training())
