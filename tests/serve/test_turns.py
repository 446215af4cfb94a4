"""GET /turns/{turn_id}: what was decided, and whether the release decides the same again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatloop.core.ids import TurnIds
from tests.fakes import NO_ANSWER, OUTSIDE, SURE, UNKNOWN, UNSURE
from tests.ollama_standin import in_thread
from tests.serve.running import running

MAIL = "jane.doe@example.org"


def chat(client: httpx.Client, prompt: str, **fields: Any) -> dict[str, Any]:
    return dict(client.post("/chat", json={"prompt": prompt, **fields}).json())


def receipt(client: httpx.Client, turn_id: str) -> dict[str, Any]:
    response = client.get(f"/turns/{turn_id}")
    assert response.status_code == 200, response.text
    return dict(response.json())


@pytest.mark.parametrize("mode", ["auto", "local", "llm"])
def test_every_kind_of_decision_comes_out_the_same_again(client: httpx.Client, mode: str) -> None:
    for prompt in (SURE, UNSURE, NO_ANSWER, OUTSIDE, UNKNOWN, "   "):
        reply = chat(client, prompt, mode=mode, user_id="u-1")
        found = receipt(client, reply["turn_id"])
        assert found["problem"] is None
        assert found["recomputed"]["differs"] == []
        assert found["recomputed"]["same"] is True
        assert found["recomputed"]["reason"] == reply["route"]["reason"]
        assert found["record"]["turn_id"] == reply["turn_id"]
        assert "not enough data yet" in found["certificate"]


def test_draws_of_arm_and_exploration_are_drawn_the_same_again(trained_home) -> None:
    with in_thread() as ollama:
        settings = trained_home.settings(llm="auto", ollama_api_url=ollama.address, explore=0.5)
        with running(settings) as client:
            reasons = set()
            for number in range(30):
                fields = {"user_id": f"u-{number}", "ab_prob": 0.5}
                found = receipt(client, chat(client, SURE, **fields)["turn_id"])
                assert found["recomputed"]["same"] is True, found
                reasons.add(found["recomputed"]["reason"])
            unsure = receipt(client, chat(client, UNSURE)["turn_id"])
    assert reasons == {"sure", "arm_llm", "explored"}
    assert unsure["recomputed"]["same"] is True
    assert unsure["recomputed"]["step"] == "generate"


def test_personal_data_is_not_in_the_receipt(client: httpx.Client) -> None:
    turn_id = chat(client, f"refund me, I am {MAIL}")["turn_id"]
    response = client.get(f"/turns/{turn_id}")
    assert MAIL not in response.text
    assert response.json()["record"]["pii_prompt"] == ["email"]
    assert response.json()["recomputed"]["same"] is True


def test_a_forged_id_is_refused_without_a_look_up(trained_home, monkeypatch) -> None:
    def looked_up(*_: Any) -> None:
        raise AssertionError("looked up")

    monkeypatch.setattr("chatloop.serve.api.turns.find_record", looked_up)
    with running(trained_home.settings()) as client:
        turn_id = chat(client, SURE)["turn_id"]
        forged = turn_id[:-1] + ("A" if turn_id[-1] != "A" else "B")
        for bad in (forged, TurnIds(b"another secret of enough length").new(), "x", "%00"):
            response = client.get(f"/turns/{bad}")
            assert response.status_code == 404
            assert response.json()["type"].endswith("#not-found")
        assert client.get(f"/turns/{turn_id}").status_code == 500


def test_a_turn_that_left_the_log_is_not_found(trained_home) -> None:
    settings = trained_home.settings()
    with running(settings) as client:
        turn_id = chat(client, SURE)["turn_id"]
        settings.chat_log.write_bytes(b"")
        response = client.get(f"/turns/{turn_id}")
    assert response.status_code == 404
    assert "no longer in the log" in response.json()["detail"]


def change_record(log: Path, **values: Any) -> None:
    record = json.loads(log.read_text("utf-8").splitlines()[-1]) | values
    log.write_text(json.dumps(record) + "\n", "utf-8")


@pytest.mark.parametrize(
    ("values", "differs"),
    [
        ({"prompt": "please see my invoice"}, ["intent", "confidence"]),
        ({"threshold": 0.1}, ["threshold"]),
        ({"reason": "unsure", "step": "passage"}, ["step", "reason"]),
        ({"certified": True}, ["certified"]),
        ({"confidence": 0.5}, ["confidence"]),
    ],
)
def test_a_record_that_was_changed_is_told(
    trained_home, values: dict[str, Any], differs: list[str]
) -> None:
    settings = trained_home.settings()
    with running(settings) as client:
        turn_id = chat(client, SURE)["turn_id"]
        change_record(settings.chat_log, **values)
        found = receipt(client, turn_id)["recomputed"]
    assert found["same"] is False
    assert found["differs"] == differs


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"step": None}, "ended before a decision"),
        ({"prompt": None}, "text was not stored"),
        ({"model_version": "20200101T000000Z-aaaaaa"}, "is not there"),
        ({"model_version": "../../etc"}, "not a version name"),
    ],
)
def test_what_cannot_be_recomputed_is_said_in_words(
    trained_home, values: dict[str, Any], words: str
) -> None:
    settings = trained_home.settings()
    with running(settings) as client:
        turn_id = chat(client, SURE)["turn_id"]
        change_record(settings.chat_log, **values)
        found = receipt(client, turn_id)
    assert found["recomputed"] is None
    assert words in found["problem"]
    assert found["record"]["turn_id"] == turn_id


def test_a_damaged_release_is_told_and_nothing_is_recomputed_from_it(trained_home) -> None:
    settings = trained_home.settings()
    with running(settings) as client:
        turn_id = chat(client, SURE)["turn_id"]
        version = client.get("/health").json()["model_version"]
        folder = settings.models_dir / "releases" / version
        shutil.copy(folder / "golden.json", folder / "certificate.json")
        found = receipt(client, turn_id)
    assert found["recomputed"] is None
    assert found["certificate"] is None
    assert "certificate.json was changed or damaged" in found["problem"]


def test_receipts_are_for_this_machine_only(client: httpx.Client) -> None:
    turn_id = chat(client, SURE)["turn_id"]
    response = client.get(f"/turns/{turn_id}", headers={"X-Forwarded-For": "203.0.113.9"})
    assert response.status_code == 403
