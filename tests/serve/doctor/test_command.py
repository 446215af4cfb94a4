"""The command as people and programs use it: lines, JSON, exit codes, colour, all broken."""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
from argparse import Namespace
from pathlib import Path

import pytest

from chatloop.core.settings import load_settings
from chatloop.loop.store import Store
from chatloop.serve.cli import main
from chatloop.serve.doctor import command
from chatloop.serve.doctor.base import State, fail, ok, warn
from chatloop.serve.doctor.examine import examine
from chatloop.serve.doctor.proxy import VARIABLES
from tests.ollama_standin import in_thread
from tests.serve.running import ROOT, free_port

PAGE = ROOT / "docs" / "how-to" / "when-something-is-wrong.md"


@pytest.fixture
def at(tiny_home: Path, clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trained home that the environment names, with a free port and no language model."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHATLOOP_HOME", str(tiny_home))
    monkeypatch.setenv("CHATLOOP_PORT", str(free_port()))
    monkeypatch.setenv("CHATLOOP_LLM", "none")
    return tiny_home


def as_json(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    code = main(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"state", "checks"}
    assert all(list(c) == ["state", "name", "found", "hint"] for c in told["checks"])
    return code, {c["name"]: c["state"] for c in told["checks"]}


def test_all_is_well_with_the_server_down(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, states = as_json(capsys)
    assert {k: v for k, v in states.items() if v == "fail"} == {}
    assert code == 0


def test_the_manual_lists_every_line_in_order(
    at: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(load_settings().store_url).jobs()  # a store that is there has one line more
    with in_thread(models=["plain"]) as ollama:
        monkeypatch.setenv("CHATLOOP_LLM", "auto")
        monkeypatch.setenv("OLLAMA_API_URL", ollama.address)
        _, states = as_json(capsys)
    documented = re.findall(r"^\| `(\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert list(states) == documented


def test_a_failure_is_exit_code_1_and_stands_beside_what_to_type(
    at: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (at / "data" / "intents.csv").unlink()
    assert main(["doctor"]) == 1
    lines = [x for x in capsys.readouterr().out.splitlines() if x.startswith("fail")]
    assert len(lines) == 1
    assert re.fullmatch(r"fail  data +.*intents.csv is not there -> python prepare_data.py", *lines)


def test_with_everything_broken_every_line_is_still_told(
    at: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("data", "models", "logs"):
        shutil.rmtree(at / name)
        (at / name).write_text("a file")
    monkeypatch.setenv("CHATLOOP_AB_PORB", "1")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setitem(sys.modules, "chatloop.serve.doctor.port", None)  # cannot be imported
    code, states = as_json(capsys)
    assert code == 1
    assert states["python"] == "ok"
    broken = ("settings", "port", "folders", "data", "release", "log")
    assert {name: states[name] for name in broken} == dict.fromkeys(broken, "fail")
    assert states["proxy"] == "warn"


@pytest.mark.parametrize(
    ("states", "worst"),
    [(set(), "ok"), ({State.OK, State.WARN}, "warn"), ({State.WARN, State.FAIL}, "fail")],
)
def test_the_whole_is_as_bad_as_its_worst_line(states: set[State], worst: str) -> None:
    assert command.worst(states) == worst


def test_a_warning_alone_is_exit_code_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "look", lambda: iter([warn("proxy", "set", "unset it")]))
    assert command.run(Namespace(json=False), lambda _: None) == 0


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, no_color: str, coloured: bool
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(command, "look", lambda: iter([ok("port", "free")]))
    said: list[str] = []
    command.run(Namespace(json=False), said.append)
    assert ("\033[" in said[0]) is coloured


def test_a_check_that_raises_is_a_failure_with_its_type_and_spares_the_others() -> None:
    def broken() -> list[object]:
        raise ZeroDivisionError("1/0")

    found = examine({"a": lambda: [ok("a", "x")], "b": broken, "c": lambda: [ok("c", "x")]})
    assert [(f.name, f.state.value) for f in found] == [("a", "ok"), ("b", "fail"), ("c", "ok")]
    assert "ZeroDivisionError" in found[1].found


def test_a_check_that_hangs_is_a_failure_and_keeps_what_it_found() -> None:
    release = threading.Event()

    def hangs():
        yield ok("first", "x")
        release.wait(30)

    found = examine({"slow": hangs, "quick": lambda: [fail("quick", "x", "y")]}, limit_s=0.2)
    release.set()
    assert [f.name for f in found] == ["first", "slow", "quick"]
    assert "no answer within 0.2 s" in found[1].found
