"""GET /models/{version}/report: the page of a release, locked down, for this machine only."""

from __future__ import annotations

import shutil

import httpx
import pytest

from chatloop.core.release import REPORT, read_pointer
from chatloop.core.settings import Settings
from chatloop.loop.retrain.cycle import CycleResult, run_cycle
from chatloop.loop.store import Store
from chatloop.serve import cli
from chatloop.serve.ui.models import release_table
from chatloop.turn.classify import ARRAYS
from tests.serve.running import running

FORWARDED = {"X-Forwarded-For": "203.0.113.9"}


def current(client: httpx.Client) -> str:
    return str(client.get("/models").json()["current"])


def test_the_report_is_a_page_that_may_load_and_run_nothing(client: httpx.Client) -> None:
    version = current(client)
    response = client.get(f"/models/{version}/report")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert "script-src" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert f"Release {version}" in response.text


def test_the_report_is_for_this_machine_only(client: httpx.Client) -> None:
    response = client.get(f"/models/{current(client)}/report", headers=FORWARDED)
    assert response.status_code == 403


@pytest.mark.parametrize("version", ["20200101T000000Z-aaaaaa", "..%2f..%2fetc", "current.json"])
def test_an_unknown_release_has_no_report(client: httpx.Client, version: str) -> None:
    response = client.get(f"/models/{version}/report")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_a_changed_report_is_refused(trained_home) -> None:
    settings = trained_home.settings()
    with running(settings) as client:
        version = current(client)
        folder = settings.models_dir / "releases" / version
        shutil.copy(folder / "golden.json", folder / REPORT)
        response = client.get(f"/models/{version}/report")
    assert response.status_code == 409
    assert "report.html was changed or damaged" in response.json()["detail"]


def test_the_models_list_says_where_the_report_is(
    trained_home, clean_environment, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("CHATLOOP_HOME", str(trained_home.path))
    assert cli.main(["models"]) == 0
    path = capsys.readouterr().out.splitlines()[1].removeprefix("    report: ")
    assert path.endswith(REPORT)
    assert (trained_home.settings().models_dir / "releases").as_posix() in path


def test_the_page_links_to_reports_that_exist_and_only_on_the_apis_own_address() -> None:
    models = [{"version": "v1", "report": True}, {"version": "v2"}]
    table = release_table({"models": models}, with_reports=True)
    assert '<a href="/models/v1/report"' in table
    assert "/models/v2/report" not in table
    assert "/report" not in release_table({"models": models})


def cycle(settings: Settings) -> CycleResult:
    store = Store(settings.store_url)
    try:
        return run_cycle(
            settings, store, gated=False, force=False, actor="test", report=lambda *_: None
        )
    finally:
        store.close()


def test_a_cycle_reports_what_changed_against_the_current_release(trained_home) -> None:
    result = cycle(trained_home.settings(seed=8))
    assert result.built is not None
    page = result.built.release.read(REPORT).decode()
    assert f"Against release {result.old_version} on the 15 test rows" in page


def test_a_damaged_current_release_stops_neither_training_nor_the_report(trained_home) -> None:
    settings = trained_home.settings(seed=8)
    pointer = read_pointer(settings.models_dir)
    assert pointer is not None
    (settings.models_dir / "releases" / pointer.version / ARRAYS).write_bytes(b"torn")
    result = cycle(settings)
    assert result.promoted
    assert result.built is not None
    assert "no current release to compare with" in result.built.release.read(REPORT).decode()
