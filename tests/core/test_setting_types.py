from __future__ import annotations

import json

import pytest

from chatloop.core.errors import SettingsError
from chatloop.core.settings import load_settings

pytestmark = pytest.mark.usefixtures("clean_environment")
SECRET = "sixteen letters!"


@pytest.mark.parametrize("given", ["a_b, c_d", "a_b,c_d,", ["a_b", "c_d"]])
def test_names_may_be_a_list_or_stand_between_commas(given):
    assert load_settings(hand_over_intents=given).hand_over_intents == ("a_b", "c_d")


def test_names_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("CHATLOOP_HAND_OVER_INTENTS", "a_b,c_d")
    assert load_settings().hand_over_intents == ("a_b", "c_d")
    monkeypatch.setenv("CHATLOOP_HAND_OVER_INTENTS", "")
    assert load_settings().hand_over_intents == ()


@pytest.mark.parametrize(
    "url",
    ["https://desk.example/in?x=1", "http://127.0.0.1:9/in", "http://[::1]:9/", "http://localhost"],
)
def test_a_webhook_is_https_or_on_this_machine(url):
    assert load_settings(webhook_url=url, webhook_secret=SECRET).webhook_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://desk.example/in",
        "http://127.0.0.1.evil.example/",
        "ftp://127.0.0.1/",
        "desk.example",
        "https://",
        "https://ann:pw@desk.example/",
        "https://desk.example/#x",
        "https://[",
        "",
    ],
)
def test_another_webhook_is_refused_in_one_line(url):
    with pytest.raises(SettingsError, match="webhook_url") as refused:
        load_settings(webhook_url=url, webhook_secret=SECRET)
    assert "\n" not in str(refused.value)
    assert "pw" not in str(refused.value)


def test_a_webhook_needs_a_secret_of_enough_length():
    with pytest.raises(SettingsError, match="webhook_url needs a webhook_secret"):
        load_settings(webhook_url="https://desk.example/in")
    with pytest.raises(SettingsError, match="at least 16 characters"):
        load_settings(webhook_secret=SECRET[1:])


def test_the_webhook_secret_is_never_printed_and_reaches_a_child_whole():
    settings = load_settings(webhook_url="https://desk.example/in", webhook_secret=SECRET)
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()
    assert load_settings(**json.loads(settings.revealed())) == settings
