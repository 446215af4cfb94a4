"""The lines `store`, `last_retrain`, `settings`, `proxy` and `port`."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from chatloop.core.settings import Settings, load_settings
from chatloop.loop.store import Job, JobState, Store
from chatloop.serve.doctor import proxy
from chatloop.serve.doctor.settings import read
from tests.serve.doctor.diagnosing import findings_of
from tests.serve.running import free_port, running


def keep_job(settings: Settings, state: JobState, *, age_s: float = 60.0, **result: object) -> None:
    store = Store(settings.store_url)
    now = time.time()
    store.save_job(Job(job_id="j1", state=state, created_at=now - age_s, result=json.dumps(result)))
    store.close()


def test_a_store_that_is_no_sqlite_file_fails(settings: Settings) -> None:
    (settings.data_dir / "chatloop.db").write_bytes(b"not a database at all" * 100)
    found = findings_of("store", settings)
    assert found["store"].state == "fail"
    assert "file is not a database" in found["store"].found
    assert "last_retrain" not in found


def test_a_store_of_another_schema_fails(settings: Settings) -> None:
    keep_job(settings, JobState.DONE)
    with sqlite3.connect(settings.data_dir / "chatloop.db") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    finding = findings_of("store", settings)["store"]
    assert finding.state == "fail"
    assert "has schema 99" in finding.found


def test_the_doctor_makes_no_store(settings: Settings) -> None:
    assert findings_of("store", settings)["store"].state == "ok"
    assert not (settings.data_dir / "chatloop.db").exists()


@pytest.mark.parametrize(
    ("state", "age_s", "result", "expected"),
    [
        (JobState.FAILED, 60, {"message": "row 3: the text is empty"}, "fail"),
        (JobState.RUNNING, 60, {"message": "fitting"}, "ok"),
        (JobState.RUNNING, 9999, {"message": "fitting"}, "warn"),
        (JobState.DONE, 60, {"message": "x was refused", "gate": {"verdict": "refused"}}, "warn"),
        (
            JobState.DONE,
            60,
            {"message": "served by force", "gate": {"verdict": "refused"}, "promoted": True},
            "ok",
        ),
        (JobState.DONE, 60, {"message": "x is served now", "gate": None}, "ok"),
    ],
)
def test_the_last_retrain_says_how_it_ended(
    settings: Settings, state: JobState, age_s: float, result: dict[str, object], expected: str
) -> None:
    keep_job(settings, state, age_s=age_s, **result)
    finding = findings_of("store", settings)["last_retrain"]
    assert finding.state == expected
    assert str(result["message"]) in finding.found


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("CHATLOOP_AB_PORB", "0.1", "ab_prob"),
        ("CHATLOOP_PORT", "many", "port"),
        ("CHATLOOP_CONFIG", "absent.toml", "absent.toml"),
    ],
)
def test_a_wrong_setting_is_named_and_the_rest_goes_on_at_the_same_home(
    home: Path,
    clean_environment: None,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    told: str,
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("CHATLOOP_HOME", str(home))
    settings, finding = read()
    assert finding.state == "fail"
    assert told in finding.found
    assert (settings.home, settings.port) == (home, 8000)


def test_a_config_file_that_is_no_toml_fails(clean_environment: None) -> None:
    Path("config.toml").write_text("port = ")
    assert "config.toml: not a readable TOML file" in read()[1].found


def test_settings_that_fail_in_an_unexpected_way_do_not_stop_the_doctor(
    clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Settings:
        raise AttributeError("no strip")

    monkeypatch.setattr("chatloop.serve.doctor.settings.load_settings", broken)
    settings, finding = read()
    assert finding.found.startswith("unexpected AttributeError: no strip")
    assert settings.port == 8000


def test_what_differs_from_the_defaults_is_listed_without_secrets(
    clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATLOOP_SECRET", "a very secret secret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hush@db/chat")
    monkeypatch.setenv("OLLAMA_API_URL", "http://me:hush@10.0.0.5:11434")
    monkeypatch.setenv("CHATLOOP_PORT", "8010")
    finding = read()[1]
    assert finding.state == "ok"
    assert "port=8010" in finding.found
    assert "secret=(hidden)" in finding.found
    assert "ollama_api_url=http://(hidden)@10.0.0.5:11434" in finding.found
    assert "hush" not in finding.found
    assert "very secret" not in finding.found
    assert "recipe" not in finding.found


@pytest.mark.parametrize(
    ("environment", "state"),
    [
        ({}, "ok"),
        ({"HTTP_PROXY": "http://u:pw@proxy:3128"}, "warn"),
        ({"all_proxy": "http://u:pw@proxy:3128", "NO_PROXY": "example.com"}, "warn"),
        ({"HTTP_PROXY": "http://u:pw@proxy:3128", "NO_PROXY": "127.0.0.1"}, "ok"),
        ({"http_proxy": "http://u:pw@proxy:3128", "no_proxy": "*"}, "ok"),
    ],
)
def test_a_proxy_in_the_way_is_a_warning_and_its_password_is_not_shown(
    settings: Settings, environment: dict[str, str], state: str
) -> None:
    (finding,) = proxy.check(settings, environment)
    assert finding.state == state
    assert "pw" not in finding.found + finding.hint
    if state == "warn":
        assert "we ignore it" in finding.found
        assert "NO_PROXY=127.0.0.1" in finding.hint


def test_a_port_taken_by_a_foreign_listener_names_it(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        mine = settings.model_copy(update={"port": taken.getsockname()[1]})
        finding = findings_of("port", mine)["port"]
    assert finding.state == "fail"
    assert "CHATLOOP_PORT=8010" in finding.hint
    if Path("/proc/net/tcp").exists():
        assert f"(pid {os.getpid()})" in finding.found


def test_our_own_server_on_the_port_is_well(tiny_home: Path, clean_environment: None) -> None:
    settings = load_settings(home=tiny_home, llm="none")
    with running(settings) as client:
        mine = settings.model_copy(update={"port": client.base_url.port})
        finding = findings_of("port", mine)["port"]
    assert finding.state == "ok"
    assert "our server answers" in finding.found


def test_an_address_of_another_machine_fails(settings: Settings) -> None:
    mine = settings.model_copy(update={"host": "203.0.113.7", "port": free_port()})
    finding = findings_of("port", mine)["port"]
    assert finding.state == "fail"
    assert "CHATLOOP_HOST" in finding.hint
