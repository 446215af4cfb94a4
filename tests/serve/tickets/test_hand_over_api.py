"""A hand-over as a customer and the staff see it: reply, ticket, list, command, health, webhook."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from chatloop.core.errors import StoreError
from chatloop.loop.store import Store
from chatloop.loop.store.tickets import Tickets
from chatloop.serve.cli import main
from chatloop.serve.tickets import desk as desk_module
from tests.fakes import MESSAGES, OUTSIDE, UNSURE
from tests.serve.running import events, free_port, running, wait_for
from tests.serve.tickets.help_desk import SECRET, help_desk

CANARIES = ("jane.doe@example.com", "+1 202 555 0143", "4111 1111 1111 1111", "raw-user-7")


def ask(client: httpx.Client, prompt: str = OUTSIDE, **more: object) -> dict:
    reply = client.post("/chat", json={"prompt": prompt, **more})
    assert reply.status_code == 200, reply.text
    return reply.json()


def tickets_of(client: httpx.Client, **query: str) -> list[dict]:
    return client.get("/tickets", params=query).json()["tickets"]


def test_tapping_a_person_gives_a_ticket_with_what_was_said(client) -> None:
    first = ask(client, session_id="s1")
    offer = first["suggestions"][-1]
    reply = ask(client, offer["text"], suggested_intent=offer["intent"], session_id="s1")
    assert reply["answer"] == MESSAGES["hand_over_asked"]
    assert reply["route"]["answered_by"] == "hand_over"
    assert reply["hand_over"]["reason"] == "asked_for_person"
    (ticket,) = tickets_of(client)
    assert reply["hand_over"]["ticket"] == ticket["ticket_id"]
    assert ticket["turn_id"] == reply["turn_id"]
    assert [line["content"] for line in ticket["transcript"]] == [
        *(OUTSIDE, first["answer"]),
        *(offer["text"], reply["answer"]),
    ]


def test_a_stream_names_the_ticket_too(client) -> None:
    body = {"prompt": OUTSIDE, "suggested_intent": "person"}
    with client.stream("POST", "/chat/stream", json=body) as response:
        found = list(events(response))
    done = json.loads(found[-1][1])
    assert done["hand_over"]["ticket"] == tickets_of(client)[0]["ticket_id"]


def test_the_openai_door_names_the_ticket_too(trained_home) -> None:
    with running(trained_home.settings(hand_over_intents="reset_password")) as client:
        asked = [{"role": "user", "content": "please reset my password"}]
        body = {"model": "auto", "messages": asked}
        reply = client.post("/v1/chat/completions", json=body).json()
        (ticket,) = tickets_of(client)
    assert reply["chatloop"]["hand_over"] == {"reason": "policy", "ticket": ticket["ticket_id"]}


def test_the_third_doubt_of_a_session_opens_a_ticket_and_the_next_one_starts_anew(client) -> None:
    replies = [ask(client, UNSURE, session_id="s1") for _ in range(4)]
    assert [bool(reply["hand_over"]) for reply in replies] == [False, False, True, False]
    assert replies[2]["hand_over"]["reason"] == "repeated_failure"
    (ticket,) = tickets_of(client)
    assert len(ticket["transcript"]) == 6


def test_a_loop_gets_the_same_ticket_again(client) -> None:
    taps = [ask(client, suggested_intent="person", session_id="s1") for _ in range(5)]
    assert len({reply["hand_over"]["ticket"] for reply in taps}) == 1
    other = ask(client, suggested_intent="person", session_id="s2")
    assert other["hand_over"]["ticket"] != taps[0]["hand_over"]["ticket"]


def test_the_intents_of_the_setting_go_to_a_person(trained_home) -> None:
    with running(trained_home.settings(hand_over_intents="reset_password")) as client:
        reply = ask(client, "please reset my password")
    assert (reply["hand_over"]["reason"], reply["route"]["reason"]) == ("policy", "policy")


def test_an_unknown_intent_in_the_setting_is_said_in_the_log(trained_home, caplog) -> None:
    with running(trained_home.settings(hand_over_intents="reset_pasword,reset_password")):
        pass
    named = [r.getMessage() for r in caplog.records if "hand_over_intents" in r.getMessage()]
    assert len(named) == 1
    assert "reset_pasword" in named[0]


def test_a_tapped_suggestion_is_on_the_record_and_never_a_label(trained_home) -> None:
    settings = trained_home.settings()
    with running(settings) as client:
        tapped = ask(client, UNSURE, suggested_intent="refund_request")
        person = ask(client, UNSURE, suggested_intent="person")
        receipts = [client.get(f"/turns/{r['turn_id']}").json() for r in (tapped, person)]
    assert tapped["route"]["reason"] == "tapped"
    assert [r["record"]["suggested_intent"] for r in receipts] == ["refund_request", "person"]
    assert [r["recomputed"]["same"] for r in receipts] == [True, True]
    store = Store(settings.store_url)
    assert (store.feedback(), store.proposed_intents()) == ([], [])
    store.close()
    assert not (settings.data_dir / "new_user_data.csv").exists()


@pytest.mark.parametrize("fault", [StoreError("away"), RuntimeError("a bug")])
def test_a_store_that_fails_costs_the_ticket_not_the_reply(client, monkeypatch, fault) -> None:
    def failing(*_args: object) -> None:
        raise fault

    monkeypatch.setattr(Tickets, "open", failing)
    reply = ask(client, suggested_intent="person")
    assert reply["hand_over"] == {"reason": "asked_for_person", "ticket": None}
    assert reply["answer"] == MESSAGES["hand_over_asked"]
    assert client.get("/health").json()["tickets"]["missed"] == 1


def test_a_store_that_hangs_is_not_waited_for(client, monkeypatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(desk_module, "STORE_LIMIT_S", 0.1)
    monkeypatch.setattr(Tickets, "open", lambda *_args: released.wait(30))
    reply = ask(client, suggested_intent="person")
    released.set()
    assert reply["hand_over"]["ticket"] is None


def test_tickets_are_shown_on_this_machine_only(client) -> None:
    ask(client, suggested_intent="person")
    refused = client.get("/tickets", headers={"Via": "1.1 proxy"})
    assert refused.status_code == 403
    assert len(tickets_of(client, state="open")) == 1
    assert tickets_of(client, state="closed") == []
    assert client.get("/tickets", params={"state": "lost"}).status_code == 422


@pytest.fixture
def command(trained_home, clean_environment, monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Runs `python -m chatloop tickets ...` here; returns its exit code and what it printed."""
    monkeypatch.setenv("CHATLOOP_HOME", str(trained_home.path))

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["tickets", *arguments])
        printed = capsys.readouterr()
        return code, printed.out or printed.err

    return run


def test_the_command_lists_shows_and_closes_with_the_server_down(trained_home, command) -> None:
    assert command() == (0, "there is no ticket yet\n")
    with running(trained_home.settings()) as client:
        ticket = ask(client, suggested_intent="person")["hand_over"]["ticket"]
    assert command("--open")[1].startswith(f"{ticket}  open ")
    assert f"user: {OUTSIDE}" in command(ticket.lower())[1]
    assert command("--close", ticket) == (0, f"{ticket} is closed\n")
    assert command("--open") == (0, "there is no open ticket\n")
    assert command()[1].startswith(f"{ticket}  closed")


def test_a_ticket_that_is_not_there_is_one_line_that_says_what_to_type(command) -> None:
    for arguments in (("T-NOSUCHONE",), ("--close", "T-NOSUCHONE")):
        code, line = command(*arguments)
        assert code == 1
        assert line.endswith("`python -m chatloop tickets` lists them\n")
        assert line.count("\n") == 1


def test_a_ticket_reaches_the_help_desk_without_personal_data(trained_home, caplog) -> None:
    email, phone, card, user = CANARIES
    history = [
        {"role": "user", "content": f"I am {email}, my card is {card}"},
        {"role": "assistant", "content": f"Shall we call {phone}?"},
    ]
    with help_desk(500) as desk:
        settings = trained_home.settings(webhook_url=desk.url, webhook_secret=SECRET)
        with running(settings) as client:
            more = {"history": history, "user_id": user, "session_id": user}
            reply = ask(client, f"call {phone} please", suggested_intent="person", **more)
            assert client.get("/health").json()["tickets"]["webhook"] in {"on", "failing"}
            wait_for(lambda: len(desk.posts) == 2, "the second try")
            wait_for(lambda: client.get("/health").json()["tickets"]["sent"] == 1, "it to be sent")
            health = client.get("/health").json()["tickets"]
    assert (health["failed"], health["given_up"], health["webhook"]) == (1, 0, "on")
    body = desk.posts[1].json
    assert body["ticket"] == reply["hand_over"]["ticket"]
    assert [line["content"] for line in body["transcript"][:3]] == [
        "I am [EMAIL_1], my card is [CARD_1]",
        "Shall we call [PHONE_1]?",
        "call [PHONE_1] please",
    ]
    files = b"".join(p.read_bytes() for p in Path(settings.home).rglob("*") if p.is_file())
    for canary in CANARIES:
        assert canary.encode() not in b"".join(post.body for post in desk.posts)
        assert canary.encode() not in files
        assert canary not in caplog.text
    assert SECRET.encode() not in files
    assert SECRET not in caplog.text


def test_what_was_not_sent_is_sent_after_a_restart(trained_home) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/tickets"
    settings = trained_home.settings(webhook_url=url, webhook_secret=SECRET)
    with running(settings) as client:
        ticket = ask(client, suggested_intent="person")["hand_over"]["ticket"]
        wait_for(lambda: client.get("/health").json()["tickets"]["failed"] >= 1, "a failed try")
        health = client.get("/health").json()
    assert (health["status"], health["tickets"]["webhook"]) == ("degraded", "failing")
    assert "no connection" in health["tickets"]["problem"]
    with help_desk(port=port) as desk, running(settings):
        wait_for(lambda: desk.posts, "the ticket to be sent", limit_s=40)
    assert desk.posts[0].json["ticket"] == ticket


def test_without_a_help_desk_the_webhook_is_off(client) -> None:
    assert client.get("/health").json()["tickets"] == {"webhook": "off", "missed": 0}
