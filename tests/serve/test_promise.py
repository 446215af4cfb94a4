"""The promise of a release, or that there is none yet, stands wherever its threshold is used."""

from __future__ import annotations

import httpx


def test_the_promise_and_its_state_are_shown_where_they_are_used(client: httpx.Client) -> None:
    predicted = client.post("/predict_intent", json={"prompt": "refund"}).json()
    health = client.get("/health").json()
    metrics = client.get("/metrics").json()
    assert predicted["certified"] is health["certified"] is False
    assert predicted["threshold"] == health["threshold"]
    words = {predicted["promise"], health["promise"], metrics["promise"]}
    assert len(words) == 1
    assert "not enough data yet" in words.pop()


def test_several_texts_come_back_in_order_with_one_promise(client: httpx.Client) -> None:
    body = {"prompts": ["please refund my payment", "please reset my password"]}
    reply = client.post("/predict_intent", json=body).json()
    found = [prediction["intent"] for prediction in reply["predictions"]]
    assert found == ["refund_request", "reset_password"]
    assert "promise" in reply
