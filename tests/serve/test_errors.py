"""Every error reply has one shape, says what to do, and never echoes the input."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

CANARY = "zq-canary-7731"
BAD: list[tuple[str, str, dict[str, Any], int]] = [
    ("unknown field", "/chat", {"json": {"promt": CANARY}}, 422),
    ("no field", "/chat", {"json": {}}, 422),
    ("wrong type", "/chat", {"json": {"prompt": [CANARY]}}, 422),
    ("wrong mode", "/chat", {"json": {"prompt": "x", "mode": CANARY}}, 422),
    ("not json", "/chat", {"content": b"{" + CANARY.encode()}, 400),
    ("not utf-8", "/chat", {"content": b'{"prompt": "\xff' + CANARY.encode() + b'"}'}, 400),
    ("a list", "/chat", {"json": [CANARY]}, 400),
    ("nan", "/chat", {"content": b'{"prompt": "x", "ab_prob": NaN}'}, 400),
    ("huge number", "/chat", {"content": b'{"prompt": "x", "ab_prob": 1e999}'}, 422),
    ("long integer", "/chat", {"content": b'{"ab_prob": ' + b"9" * 5000 + b"}"}, 400),
    ("deep", "/chat", {"content": b'{"prompt": ' + b"[" * 50_000 + b"}"}, 400),
    ("surrogate key", "/chat", {"content": b'{"prompt": "x", "\\ud800": 1}'}, 422),
    ("too long", "/chat", {"json": {"prompt": CANARY * 1000}}, 413),
    ("too large", "/chat", {"content": b'{"prompt": "' + b"x" * 300_000 + b'"}'}, 413),
    ("nothing asked", "/predict_intent", {"json": {}}, 422),
    ("both asked", "/predict_intent", {"json": {"prompt": "a", "prompts": ["b"]}}, 422),
    ("forged turn", "/submit_feedback", {"json": {"turn_id": CANARY, "rating": "up"}}, 404),
    ("bad label", "/submit_feedback", {"json": {"text": "x", "label": "Not A Label!"}}, 422),
    ("look-alike", "/submit_feedback", {"json": {"text": "x y", "label": "Refund_Request"}}, 422),
    ("empty feedback", "/submit_feedback", {"json": {}}, 422),
    ("no such release", "/models/20200101T000000Z-aaaaaa/promote", {}, 404),
    ("path in a version", "/models/..%2f..%2fetc/promote", {}, 404),
    ("no such page", "/nowhere", {"json": {}}, 404),
]


@pytest.mark.parametrize(("name", "path", "body", "status"), BAD, ids=[b[0] for b in BAD])
def test_a_bad_request_gets_one_clear_problem(
    client: httpx.Client, name: str, path: str, body: dict[str, Any], status: int
) -> None:
    response = client.post(path, **body)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) >= {"type", "title", "status", "detail", "request_id"}
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["x-request-id"]
    assert CANARY not in response.text
    assert problem["type"].startswith("/manual/reference/errors/#")


def test_an_unknown_field_names_the_nearest_known_one(client: httpx.Client) -> None:
    problem = client.post("/chat", json={"promt": "x"}).json()
    assert "did you mean `prompt`?" in problem["detail"]


def test_a_lone_surrogate_is_refused_not_a_fault(client: httpx.Client) -> None:
    response = client.post("/chat", content=b'{"prompt": "refund \\ud800 please"}')
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_is_405_with_the_same_shape(client: httpx.Client) -> None:
    response = client.get("/chat")
    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"


def test_every_reply_names_request_and_model(client: httpx.Client) -> None:
    given = client.get("/healthz", headers={"X-Request-ID": "abc-1"})
    assert given.headers["x-request-id"] == "abc-1"
    assert given.headers["x-chatloop-model-version"] not in {"", "none"}
    forged = client.get("/healthz", headers={"X-Request-ID": "bad id!"})
    assert forged.headers["x-request-id"] != "bad id!"


def test_a_fault_in_a_step_is_500_without_its_text(trained_home, monkeypatch) -> None:
    from chatloop.turn.answer.ladder import Ladder
    from tests.serve.running import running

    def broken(*_args: object, **_named: object) -> object:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(Ladder, "_local", broken)
    settings = trained_home.settings()
    with running(settings) as client:
        response = client.post("/chat", json={"prompt": "please refund my payment"})
    assert response.status_code == 500
    assert CANARY not in response.text
    line = json.loads(settings.chat_log.read_text().splitlines()[-1])
    assert (line["status"], line["error"]) == ("error", "RuntimeError")


def test_a_write_through_a_proxy_or_from_another_site_is_not_trusted(client: httpx.Client) -> None:
    for header in (
        {"X-Forwarded-For": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
    ):
        assert client.post("/retrain", headers=header).status_code == 403
        assert client.post("/rollback", headers=header).status_code == 403
    body = {"text": "cash back for me", "label": "refund_request"}
    queued = client.post("/submit_feedback", json=body, headers={"Via": "1.1 proxy"}).json()
    assert queued["status"] == "queued_for_review"
