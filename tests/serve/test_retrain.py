"""Feedback in, better model out, over HTTP: retrain, hot reload, new intent, roll back."""

from __future__ import annotations

import threading
import time

import httpx

from tests.serve.running import running

CORRECTED = "the moolah should come home to me"
NEW_INTENT = [
    "do you sponsor meetups",
    "would you sponsor our hackathon",
    "sponsorship for a conference",
    "can we get a sponsor for our event",
    "we look for a sponsor of our user group",
]
NEW_ANSWER = "Tell us about your event through the contact form, subject Sponsorship."


def test_a_correction_and_a_new_intent_are_answered_after_one_retrain_and_gone_after_rollback(
    trained_home,
) -> None:
    with running(trained_home.settings()) as client:
        before = {p: _answer(client, p) for p in (CORRECTED, NEW_INTENT[0])}
        _teach(client, CORRECTED, "refund_request")
        for number, text in enumerate(NEW_INTENT):
            answer = {"answer": NEW_ANSWER} if number == 0 else {}
            reply = _teach(client, text, "sponsorship", **answer)
            assert reply["status"] == "accepted"
        job = client.post("/retrain").json()
        result = job["result"]
        assert job["state"] == "done", job
        assert result["promoted"], result
        assert result["rows"]["feedback"] == 6
        assert result["gate"]["verdict"] == "accepted"
        assert result["workers"] == {"on_new": 1, "live": 1}
        corrected = _chat(client, CORRECTED)
        assert corrected["intent"] == "refund_request"
        assert corrected["route"]["answered_by"] == "approved"
        assert _answer(client, NEW_INTENT[0]) == NEW_ANSWER
        assert client.post("/retrain").json()["result"]["promoted"] is False
        switched = client.post("/rollback").json()
        assert switched["version"] == result["old_version"]
        after = {p: _answer(client, p) for p in (CORRECTED, NEW_INTENT[0])}
        assert after == before


def test_a_new_intent_waits_for_its_fifth_example(trained_home) -> None:
    with running(trained_home.settings()) as client:
        for text in NEW_INTENT[:3]:
            _teach(client, text, "sponsorship")
        _teach(client, CORRECTED, "refund_request")
        result = client.post("/retrain").json()["result"]
        assert result["rows"]["waiting"] == {"sponsorship": "3 of 5"}
        assert "sponsorship" not in {e["intent"] for e in client.get("/intents").json()["intents"]}


def test_a_worse_model_is_refused_with_the_reason_and_the_old_one_stays(trained_home) -> None:
    settings = trained_home.settings(regression_margin=0.0)
    with running(settings) as client:
        version = client.get("/health").json()["model_version"]
        trained_home.flip_fit_labels()
        job = client.post("/retrain").json()
        result = job["result"]
        assert result["promoted"] is False, result
        assert result["gate"]["verdict"] == "refused"
        assert any(not c["passed"] and c["detail"] for c in result["gate"]["checks"])
        assert client.get("/health").json()["model_version"] == version
        forced = client.post("/retrain", json={"force": True}).json()["result"]
        assert forced["promoted"] is True
        assert "force" in forced["message"]


def test_retraining_under_load_fails_no_request_and_each_reply_names_one_release(
    trained_home,
) -> None:
    with running(trained_home.settings()) as client:
        seen: list[tuple[int, str, str]] = []
        stop = threading.Event()
        load = threading.Thread(target=_load, args=(str(client.base_url), seen, stop))
        load.start()
        try:
            _teach(client, CORRECTED, "refund_request")
            result = client.post("/retrain").json()["result"]
            time.sleep(0.5)
        finally:
            stop.set()
            load.join(20)
        versions = {header for _status, header, _body in seen}
        assert result["promoted"], result
        assert len(seen) >= 20
        assert {status for status, _header, _body in seen} == {200}
        assert all(header == body for _status, header, body in seen)
        assert versions == {result["old_version"], result["new_version"]}


def test_a_second_retrain_joins_the_running_job(trained_home) -> None:
    with running(trained_home.settings()) as client:
        _teach(client, CORRECTED, "refund_request")
        first = client.post("/retrain", json={"wait": False})
        second = client.post("/retrain", json={"wait": False})
        assert (first.status_code, second.status_code) == (202, 202)
        assert first.json()["job_id"] == second.json()["job_id"]
        assert first.headers["location"] == f"/retrain/{first.json()['job_id']}"
        done = client.post("/retrain").json()
        assert done["job_id"] == first.json()["job_id"]
        assert client.get(first.headers["location"]).json()["state"] == "done"


def test_a_rating_of_a_turn_counts_once_a_user(client: httpx.Client) -> None:
    turn = _chat(client, "please refund my payment")["turn_id"]
    for rating in ("up", 1, True, "down"):
        body = {"turn_id": turn, "rating": rating, "user_id": "u-1"}
        assert client.post("/submit_feedback", json=body).status_code == 200
    assert client.get("/metrics").json()["ratings"] == {"up": 0, "down": 1}


def test_a_correction_by_turn_id_takes_the_redacted_text_of_that_turn(trained_home) -> None:
    settings = trained_home.settings()
    with running(settings) as client:
        turn = _chat(client, "cash home to bob@example.com")["turn_id"]
        body = {"turn_id": turn, "label": "refund_request"}
        assert client.post("/submit_feedback", json=body).json()["status"] == "accepted"
    copy = (settings.data_dir / "new_user_data.csv").read_text()
    assert "[EMAIL_1]" in copy
    assert "bob@" not in copy


def _load(base: str, seen: list[tuple[int, str, str]], stop: threading.Event) -> None:
    with httpx.Client(base_url=base, timeout=30, trust_env=False) as client:
        while not stop.is_set():
            begun = time.perf_counter()
            response = client.post("/chat", json={"prompt": "please refund my payment"})
            version = response.json().get("model_version", "")
            seen.append(
                (response.status_code, response.headers["x-chatloop-model-version"], version)
            )
            stop.wait(max(0.0, 0.02 - (time.perf_counter() - begun)))


def _teach(client: httpx.Client, text: str, label: str, **more: str) -> dict[str, str]:
    response = client.post("/submit_feedback", json={"text": text, "label": label, **more})
    assert response.status_code == 200, response.text
    return dict(response.json())


def _chat(client: httpx.Client, prompt: str) -> dict:
    return dict(client.post("/chat", json={"prompt": prompt}).json())


def _answer(client: httpx.Client, prompt: str) -> str:
    return str(_chat(client, prompt)["answer"])
