"""POST /predict_intent with `explain`, and what the page makes of it."""

from __future__ import annotations

import httpx
import pytest

from chatloop.core.types import OOS
from chatloop.serve.ui.why import explanation
from tests.fakes import OUTSIDE, SURE, UNKNOWN


def ask(client: httpx.Client, prompt: str, **fields: object) -> dict:
    response = client.post("/predict_intent", json={"prompt": prompt, "explain": True, **fields})
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_each_top_intent_is_explained_and_its_parts_add_up(client: httpx.Client) -> None:
    found = ask(client, SURE)
    assert [e["intent"] for e in found["explanation"]] == [t["intent"] for t in found["top"]]
    for explained in found["explanation"]:
        assert [w["text"] for w in explained["words"]] == SURE.split()
        total = explained["bias"] + sum(w["contribution"] for w in explained["words"])
        assert total == pytest.approx(explained["logit"])


def test_without_the_wish_nothing_is_explained(client: httpx.Client) -> None:
    reply = client.post("/predict_intent", json={"prompt": SURE}).json()
    assert "explanation" not in reply


def test_out_of_scope_is_explained_first_when_it_wins(client: httpx.Client) -> None:
    found = ask(client, OUTSIDE)
    assert not found["in_scope"]
    logits = [e["logit"] for e in found["explanation"]]
    assert found["explanation"][0]["intent"] == OOS
    assert logits[0] == max(logits)


def test_a_text_of_unknown_words_has_no_explanation(client: httpx.Client) -> None:
    assert ask(client, UNKNOWN)["explanation"] == []


def test_personal_data_is_not_repeated(client: httpx.Client) -> None:
    response = client.post(
        "/predict_intent", json={"prompt": "refund jane.doe@example.org", "explain": True}
    )
    assert "jane.doe" not in response.text


def test_several_texts_at_once_are_not_explained(client: httpx.Client) -> None:
    response = client.post("/predict_intent", json={"prompts": ["a"], "explain": True})
    assert response.status_code == 422
    assert "one text at a time" in response.json()["detail"]


def test_a_plain_form_may_ask_why(client: httpx.Client) -> None:
    reply = client.post("/predict_intent", data={"prompt": SURE, "explain": "true"}).json()
    assert reply["explanation"]


def words(*pairs: tuple[str, float]) -> dict:
    given = [{"text": text, "contribution": part} for text, part in pairs]
    row = {"intent": "get_invoice", "bias": -0.4, "logit": 2.1, "words": given}
    return {"top": [{"intent": "get_invoice", "confidence": 0.87}], "explanation": [row]}


def test_the_page_says_for_and_against_in_signs_not_in_colour_alone() -> None:
    shown = explanation(words(("invoice", 2.5), ("the", 0.01), ("refund", -1.25)))
    assert "<b>get invoice</b> 87 %" in shown
    assert 'class="for"' in shown
    assert "invoice<small>+2.5</small>" in shown
    assert 'class="against"' in shown
    assert "refund<small>−1.2</small>" in shown
    assert ">the</span>" in shown


def test_the_page_escapes_every_word() -> None:
    shown = explanation(words(("<script>alert(1)</script>", 1.0)))
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_the_page_cuts_a_very_long_question() -> None:
    shown = explanation(words(*[("word", 1.0)] * 500))
    assert shown.count(">word<") == 80
    assert "…" in shown


def test_the_page_says_so_when_no_word_is_known() -> None:
    assert "abstains" in explanation({"explanation": []})
