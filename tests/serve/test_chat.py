"""POST /chat and /chat/stream over a real socket: answers, modes, forms, degraded replies."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from tests.ollama_standin import in_thread
from tests.serve.running import events, running, wait_for

SURE = "please refund my payment"


def test_a_sure_message_is_answered_locally_with_its_sources(client: httpx.Client) -> None:
    reply = client.post("/chat", json={"prompt": SURE}).json()
    assert reply["chosen_model"] == "local"
    assert reply["intent"] == "refund_request"
    assert reply["route"]["answered_by"] == "approved"
    assert not reply["degraded"]
    assert reply["latency_ms"] < 1000


def test_plain_curl_form_and_json_give_the_same_answer(client: httpx.Client) -> None:
    as_json = client.post("/chat", json={"prompt": SURE}).json()
    as_form = client.post("/chat", data={"prompt": SURE}).json()
    as_question = client.post("/chat", json={"question": SURE}).json()
    untyped = client.post("/chat", content=json.dumps({"prompt": SURE}).encode()).json()
    answers = {r["answer"] for r in (as_json, as_form, as_question, untyped)}
    assert len(answers) == 1


def test_without_a_language_model_every_chat_answers_within_a_second_and_says_degraded(
    client_away: httpx.Client,
) -> None:
    for body in ({"prompt": SURE, "mode": "llm"}, {"prompt": "how tall is the moon tower"}):
        begun = time.perf_counter()
        response = client_away.post("/chat", json=body)
        took_s = time.perf_counter() - begun
        reply = response.json()
        assert response.status_code == 200
        assert reply["degraded"] is True
        assert reply["degraded_reason"] == "llm_unreachable"
        assert reply["chosen_model"] == "fallback"
        assert response.headers["x-chatloop-degraded"] == "llm_unreachable"
        assert took_s < 1.0


def test_a_sure_message_stands_in_with_the_approved_answer_when_the_llm_is_away(
    client_away: httpx.Client,
) -> None:
    reply = client_away.post("/chat", json={"prompt": SURE, "mode": "llm"}).json()
    assert reply["route"]["answered_by"] == "approved"
    assert reply["route"]["arm"] == "forced"
    assert reply["route"]["pscore"] is None


def test_unsure_replies_without_an_llm_offer_ways_out(client: httpx.Client) -> None:
    reply = client.post("/chat", json={"prompt": "payment account thing", "mode": "local"}).json()
    assert not reply["degraded"]
    if reply["route"]["answered_by"] != "approved":
        assert reply["suggestions"][-1]["intent"] == "person"


def test_the_split_sticks_to_the_user_and_follows_ab_prob(client: httpx.Client) -> None:
    def arm(user: str, q: float) -> str:
        body = {"prompt": SURE, "user_id": user, "ab_prob": q}
        return str(client.post("/chat", json=body).json()["route"]["arm"])

    assert {arm(f"user-{i}", 0.0) for i in range(5)} == {"local"}
    once = [arm(f"user-{i}", 0.5) for i in range(40)]
    assert once == [arm(f"user-{i}", 0.5) for i in range(40)]


def test_a_language_model_streams_its_tokens_and_done_is_their_sum(trained_home) -> None:
    with in_thread(models=["llama3.2:latest"]) as standin:
        settings = trained_home.settings(ollama_api_url=standin.address, llm="auto")
        with running(settings) as client:
            body = {"prompt": "tell me about webhooks in detail", "mode": "llm"}
            with client.stream("POST", "/chat/stream", json=body) as response:
                found = list(events(response))
    tokens = [json.loads(data)["text"] for name, data in found if name == "token"]
    name, data = found[-1]
    assert name == "done"
    done = json.loads(data)
    assert len(tokens) > 3
    assert "".join(tokens) == done["answer"]
    assert done["chosen_model"] == "llm/llama3.2:latest"
    assert done["degraded"] is False


@pytest.mark.parametrize(
    ("models", "state", "reason"),
    [
        (["nomic-embed-text:latest"], "no_model", "llm_no_model"),
        ([], "no_model", "llm_no_model"),
    ],
)
def test_a_server_without_a_model_that_can_chat_is_a_state_of_its_own(
    trained_home, models: list[str], state: str, reason: str
) -> None:
    with in_thread(models=models) as standin:
        settings = trained_home.settings(ollama_api_url=standin.address, llm="auto")
        with running(settings) as client:
            reply = client.post("/chat", json={"prompt": SURE, "mode": "llm"}).json()
            llm = client.get("/health").json()["llm"]
    assert (reply["degraded_reason"], llm["state"]) == (reason, state)
    assert "ollama pull" in llm["hint"]


def test_a_chat_model_of_an_unknown_name_is_taken(trained_home) -> None:
    with in_thread(models=["some-house-model:7b"]) as standin:
        settings = trained_home.settings(ollama_api_url=standin.address, llm="auto")
        with running(settings) as client:
            reply = client.post("/chat", json={"prompt": SURE, "mode": "llm"}).json()
    assert reply["chosen_model"] == "llm/some-house-model:7b"


def test_a_model_pulled_later_is_noticed(trained_home) -> None:
    with in_thread(models=[]) as standin:
        settings = trained_home.settings(
            ollama_api_url=standin.address, llm="auto", llm_probe_interval_s=0.2
        )
        with running(settings) as client:
            assert client.get("/health").json()["llm"]["state"] == "no_model"
            standin.models = ["llama3.2:latest"]
            wait_for(
                lambda: client.get("/health").json()["llm"]["state"] == "ready",
                "the new model to be noticed",
                limit_s=10,
            )
            reply = client.post("/chat", json={"prompt": SURE, "mode": "llm"}).json()
    assert reply["chosen_model"] == "llm/llama3.2:latest"


def test_personal_data_never_reaches_the_log_nor_the_language_model(trained_home) -> None:
    secrets = ("jane.doe@example.com", "+1 202 555 0143", "4111 1111 1111 1111")
    prompt = f"I am {secrets[0]}, call {secrets[1]}, my card is {secrets[2]}"
    with in_thread(models=["llama3.2:latest"]) as standin:
        settings = trained_home.settings(ollama_api_url=standin.address, llm="auto")
        with running(settings) as client:
            for mode in ("auto", "local", "llm"):
                body = {"prompt": prompt, "mode": mode, "user_id": secrets[0]}
                assert client.post("/chat", json=body).status_code == 200
        asked = json.dumps(standin.chats)
    written = b"".join(p.read_bytes() for p in settings.home.rglob("*") if p.is_file())
    for secret in secrets:
        assert secret not in asked
        assert secret.encode() not in written
