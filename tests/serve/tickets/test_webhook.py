"""One post of one ticket over a real loopback socket: signed, guarded, to one address only."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging

import pytest

from chatloop.core.types import Exchange
from chatloop.loop.store import Ticket
from chatloop.serve.tickets import webhook as module
from chatloop.serve.tickets.webhook import Webhook, body_of
from tests.fakes import NOW
from tests.serve.running import free_port
from tests.serve.tickets.help_desk import SECRET, help_desk

TICKET = Ticket(
    ticket_id="T-0123456789",
    reason="policy",
    created_at=NOW,
    updated_at=NOW,
    turn_id="turn",
    user="hashed user",
    session=None,
    transcript=(Exchange("user", "ist [EMAIL_1] für «mich»?"), Exchange("assistant", "Ja")),
    next_try_at=NOW,
)


async def send(url: str) -> str | None:
    webhook = Webhook(url, SECRET)
    try:
        return await webhook.send(TICKET, NOW)
    finally:
        await webhook.aclose()


async def test_a_ticket_arrives_signed_with_its_id_as_the_idempotency_key():
    with help_desk() as desk:
        assert await send(desk.url) is None
    (post,) = desk.posts
    assert post.path == "/tickets"
    assert post.headers["idempotency-key"] == "T-0123456789"
    assert post.headers["content-type"] == "application/json"
    moment, _, given = post.headers["x-chatloop-signature"].partition(",v1=")
    assert moment == f"t={int(NOW)}"
    signed = f"{int(NOW)}.".encode() + post.body
    assert given == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


async def test_the_body_holds_the_reason_the_pseudonyms_and_what_was_said():
    with help_desk() as desk:
        await send(desk.url)
    assert desk.posts[0].json == {
        "version": 1,
        "ticket": "T-0123456789",
        "reason": "policy",
        "created_at": NOW,
        "turn_id": "turn",
        "user": "hashed user",
        "session": None,
        "transcript": [
            {"role": "user", "content": "ist [EMAIL_1] für «mich»?"},
            {"role": "assistant", "content": "Ja"},
        ],
    }
    assert desk.posts[0].body == body_of(TICKET)


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
async def test_a_refusal_is_named_by_its_status(status):
    with help_desk(status) as desk:
        assert await send(desk.url) == f"status {status}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status):
    with help_desk(status) as desk:
        assert await send(desk.url) == f"status {status} (redirects are not followed)"
    assert [post.path for post in desk.posts] == ["/tickets"]


async def test_a_help_desk_that_hangs_is_left_after_the_limit(monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    with help_desk("hang") as desk:
        assert await send(desk.url) == "no answer within 0.2 s"


async def test_one_that_trickles_is_left_after_the_limit_too(monkeypatch):
    """Each byte renews a read limit, so the whole call has one of its own."""
    monkeypatch.setattr(module, "TIMEOUT_S", 0.3)

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with_head = b"HTTP/1.1 200 OK\r\nX-Slow: "
        writer.write(with_head)
        try:
            while not writer.is_closing():
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert await send(f"http://127.0.0.1:{port}/") == "no answer within 0.3 s"
        server.close()


async def test_an_address_where_nobody_listens_is_no_connection():
    assert await send(f"http://127.0.0.1:{free_port()}/") == "no connection (ConnectError)"


async def test_a_proxy_of_the_environment_never_gets_what_goes_to_this_machine(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with help_desk() as desk:
        assert await send(desk.url) is None
    assert len(desk.posts) == 1


async def test_neither_the_secret_nor_what_was_said_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    with help_desk(500) as desk:
        await send(desk.url)
    assert SECRET not in caplog.text
    assert "mich" not in caplog.text
    assert desk.posts[0].headers["x-chatloop-signature"] not in caplog.text
