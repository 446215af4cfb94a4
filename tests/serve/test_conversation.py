"""A message is read with the lines before it: the client's, else those of its session."""

from __future__ import annotations

import httpx
import pytest

from chatloop.serve.workers import number_of_workers

FIRST = "please refund my payment"
NEXT = "and for annual plans?"


def ask(client: httpx.Client, prompt: str, **more: object) -> dict:
    return client.post("/chat", json={"prompt": prompt, **more}).json()


def test_a_follow_up_in_a_session_is_not_answered_by_the_intent_model_alone(client) -> None:
    first = ask(client, FIRST, session_id="s1")
    assert (first["context"], first["route"]["answered_by"]) == ("none", "approved")
    after = ask(client, NEXT, session_id="s1")
    assert (after["context"], after["route"]["reason"]) == ("session", "follow_up")
    assert after["route"]["answered_by"] != "approved"


def test_another_session_knows_nothing_of_it(client) -> None:
    ask(client, FIRST, session_id="s1")
    for session in ("s2", None):
        after = ask(client, NEXT, session_id=session)
        assert (after["context"], after["route"]["reason"] == "follow_up") == ("none", False)


def test_the_lines_that_the_client_sends_win_over_the_session(client) -> None:
    ask(client, FIRST, session_id="s1")
    history = [{"role": "user", "content": FIRST}, {"role": "assistant", "content": "Done so."}]
    after = ask(client, NEXT, session_id="s1", history=history)
    assert (after["context"], after["route"]["reason"]) == ("client", "follow_up")


def test_the_receipt_of_a_follow_up_comes_out_the_same(client) -> None:
    ask(client, FIRST, session_id="s1")
    turn_id = ask(client, NEXT, session_id="s1")["turn_id"]
    receipt = client.get(f"/turns/{turn_id}").json()
    assert receipt["record"]["follow_up"] is True
    assert receipt["recomputed"]["same"] is True, receipt["recomputed"]["differs"]


def test_a_stream_is_remembered_too(client) -> None:
    body = {"prompt": FIRST, "session_id": "s1"}
    assert client.post("/chat/stream", json=body).status_code == 200
    assert ask(client, NEXT, session_id="s1")["context"] == "session"


def test_a_server_that_may_remember_nothing_says_so(trained_home) -> None:
    from tests.serve.running import running

    with running(trained_home.settings(memory_sessions=0)) as client:
        ask(client, FIRST, session_id="s1")
        assert ask(client, NEXT, session_id="s1")["context"] == "none"


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["uvicorn", "main:app"], {}, 1),
        (["uvicorn", "main:app", "--workers", "4"], {}, 4),
        (["uvicorn", "--workers=3", "main:app"], {"WEB_CONCURRENCY": "2"}, 3),
        (["uvicorn", "main:app"], {"WEB_CONCURRENCY": "2"}, 2),
        (["uvicorn", "main:app", "--workers", "many"], {}, 1),
    ],
)
def test_the_number_of_workers_is_read_from_what_started_them(
    arguments, environment, expected
) -> None:
    assert number_of_workers(arguments, environment) == expected


def test_with_several_workers_nothing_is_remembered_and_the_page_is_elsewhere(trained_home) -> None:
    from tests.serve.running import running_process

    with (
        running_process(trained_home.path, workers=2) as (_process, address),
        httpx.Client(base_url=address, trust_env=False, timeout=30) as client,
    ):
        contexts = {ask(client, NEXT, session_id="s1")["context"] for _ in range(4)}
        page = client.get("/ui/")
    assert contexts == {"none"}
    assert (page.status_code, "python gradio_app.py" in page.text) == (404, True)
