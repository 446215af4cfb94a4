"""The page "Hand over to a person": its snippets do what it says."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable

import pytest

from chatloop.core.settings import Settings, load_settings
from chatloop.loop.data.knowledge import read_answers
from chatloop.loop.store import Ticket
from chatloop.serve.tickets.deliveries import DELAYS_S
from chatloop.serve.tickets.webhook import TIMEOUT_S, body_of, sign
from chatloop.turn.answer.content import HANDS_OVER
from tests.serve.tickets.help_desk import SECRET
from tests.test_docs import blocks, page

PAGE = "how-to/hand-over-to-a-person.md"
TICKET = Ticket(
    ticket_id="T-0123456789",
    reason="policy",
    created_at=1.0,
    updated_at=1.0,
    turn_id="t",
    user=None,
    session=None,
    transcript=(),
)


@pytest.fixture
def check() -> Callable[..., bool]:
    (snippet,) = blocks(PAGE, "python")
    names: dict[str, Callable[..., bool]] = {}
    exec(snippet, names)
    return names["is_from_chatloop"]


def test_the_check_of_a_signature_takes_what_is_sent_and_nothing_else(check) -> None:
    body, now = body_of(TICKET), int(time.time())
    signed = sign(SECRET.encode(), body, now)
    assert check(SECRET, signed, body)
    assert not check(SECRET + "x", signed, body)
    assert not check(SECRET, signed, body + b" ")
    assert not check(SECRET, signed.replace(str(now), str(now + 1)), body)
    assert not check(SECRET, sign(SECRET.encode(), body, now - 301), body)
    for broken in ("", "t=,v1=", "t=1", "v1=é", signed[:-1], "t,v1"):
        assert not check(SECRET, broken, body)


def test_its_answers_and_settings_can_be_read(tmp_path, clean_environment) -> None:
    (answers,) = blocks(PAGE, "yaml")
    (tmp_path / "a.yaml").write_text(answers)
    assert {a.hand_over for a in read_answers(tmp_path / "a.yaml").values()} == set(HANDS_OVER)
    for snippet in blocks(PAGE, "toml"):
        assert load_settings(**tomllib.loads(snippet), webhook_secret=SECRET)


def test_it_names_the_limits_that_are_in_force() -> None:
    text = " ".join(page(PAGE).split())
    assert DELAYS_S == (1, 5, 30, 300, 3600, 4 * 3600, 18 * 3600)
    assert "after 1 s, 5 s, 30 s, 5 min, 1 h, 4 h and 18 h" in text
    assert f"within {TIMEOUT_S:g} seconds" in text
    default = Settings.model_fields["hand_over_after"].default
    assert f"`hand_over_after` unsure replies in a row ({default})" in text
    for field in ("ticket", "reason", "created_at", "turn_id", "user", "session", "transcript"):
        assert f"`{field}`".encode() in text.encode()
        assert f'"{field}"'.encode() in body_of(TICKET)
