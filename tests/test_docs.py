"""The manual says what the code does: each list in it is compared, its commands are run."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatloop.core.errors import BackendFault
from chatloop.core.feedback import FeedbackType
from chatloop.core.settings import Settings, load_settings
from chatloop.core.telemetry import TurnRecord
from chatloop.core.types import Mode, Reason, Step
from chatloop.serve.api.app import create_app
from chatloop.serve.api.problems import KINDS
from chatloop.serve.cli import build_parser
from tests.serve.running import running

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FIRST_CHAT, CLOSE_THE_LOOP = "tutorial/first-chat.md", "tutorial/close-the-loop.md"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
MERMAID = "js/mermaid.min.js"
MADE_BY_TOOLS = {".venv"}
_FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ELSEWHERE = re.compile(
    r"""(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//(?!127\.0\.0\.1)[^"')\s]*"""
)


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of every table row whose first cell is one piece of code."""
    lines = (line.strip() for line in text.splitlines())
    cells = ([c.strip() for c in line[1:-1].split("|")] for line in lines if line.startswith("| `"))
    return [row for row in cells if re.fullmatch(r"`[^`]+`", row[0])]


def codes(text: str) -> list[str]:
    return [row[0].strip("`") for row in rows(text)]


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next of the same level."""
    mark = heading.partition(" ")[0]
    return re.split(rf"^{mark} ", text.split(f"\n{heading}\n", 1)[1], flags=re.MULTILINE)[0]


def blocks(name: str, language: str = "bash") -> list[str]:
    return [body for word, body in _FENCE.findall(page(name)) if word == language]


def shell(option: str, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", option], input=text, text=True, capture_output=True, check=False)


def shown(default: Any) -> str:
    if default is None:
        return "unset"
    return str(default).lower() if isinstance(default, bool) else str(default)


def variable(name: str) -> str:
    return {"ollama_api_url": "OLLAMA_API_URL", "database_url": "DATABASE_URL"}.get(
        name, f"CHATLOOP_{name.upper()}"
    )


def test_settings_page_lists_every_setting_with_its_default() -> None:
    expected = [
        [f"`{name}`", f"`{variable(name)}`", f"`{shown(field.default)}`"]
        for name, field in Settings.model_fields.items()
    ]
    assert [row[:3] for row in rows(page("reference/settings.md"))] == expected


@pytest.mark.parametrize("name", ["ollama_api_url", "database_url", "llm"])
def test_a_setting_is_read_from_the_variable_that_the_page_names(
    name: str, clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable(name), "http://10.9.8.7:1234")
    read = getattr(load_settings(), name)
    assert "10.9.8.7" in (read.get_secret_value() if name == "database_url" else read)


def test_telemetry_page_lists_every_field_in_order() -> None:
    fields = [field.name for field in dataclasses.fields(TurnRecord)]
    assert codes(page("reference/telemetry.md")) == fields


@pytest.mark.parametrize(("field", "values"), [("step", Step), ("reason", Reason), ("mode", Mode)])
def test_telemetry_page_names_every_value(field: str, values: Any) -> None:
    row = next(r for r in rows(page("reference/telemetry.md")) if r[0] == f"`{field}`")
    assert set(re.findall(r"`(\w+)`", row[2])) == {value.value for value in values}


def test_errors_page_has_one_heading_a_kind_with_its_status() -> None:
    kinds = section(page("reference/errors.md"), "## Kinds")
    found = re.findall(r"^### (\S+)\n\n(\d{3})", kinds, re.MULTILINE)
    assert found == [(name, str(kind.status)) for name, kind in KINDS.items()]


def test_errors_page_lists_every_degraded_reason() -> None:
    listed = codes(section(page("reference/errors.md"), "## Degraded reasons"))
    assert sorted(listed) == sorted(fault.value for fault in BackendFault)


def test_http_page_names_every_route(tmp_path: Path, clean_environment: None) -> None:
    schema = create_app(load_settings(home=tmp_path), with_ui=False).openapi()
    calls = {f"{m.upper()} {path}" for path, item in schema["paths"].items() for m in item}
    named = set(re.findall(r"(?:GET|POST) /[\w/{}]+", page("reference/http.md")))
    assert named == calls


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/chat", "## POST /chat"),
        ("/submit_feedback", "## POST /submit_feedback"),
        ("/retrain", "## POST /retrain"),
        ("/predict_intent", "## POST /predict_intent"),
    ],
)
def test_http_page_names_every_field_of_a_body(
    path: str, heading: str, tmp_path: Path, clean_environment: None
) -> None:
    schema = create_app(load_settings(home=tmp_path), with_ui=False).openapi()
    body = schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    text = section(page("reference/http.md"), heading)
    kinds = list(FeedbackType) if path == "/submit_feedback" else []
    assert [n for n in (*body["properties"], *kinds) if f"`{n}`" not in text] == []


def test_commands_page_names_every_make_target() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert targets
    named = [code.removeprefix("make ") for code in codes(page("reference/commands.md"))]
    assert sorted(targets) == sorted(n for n in named if " " not in n)


def test_commands_page_names_every_subcommand_and_option() -> None:
    text = section(page("reference/commands.md"), "## python -m chatloop")
    rows_by_command = {row[0].strip("`").split(" ")[3]: row for row in rows(text)}
    commands = _subcommands(build_parser())
    assert set(rows_by_command) == set(commands)
    for name, parser in commands.items():
        options = {o for a in parser._actions for o in a.option_strings if o.startswith("--")}
        line = " ".join(rows_by_command[name])
        assert [o for o in options - {"--help"} if f"`{o}`" not in line] == []


def _subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    action = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


@pytest.mark.parametrize("script", ["prepare_data", "train_model", "gradio_app", "monitoring"])
def test_commands_page_names_every_option_of_a_script(script: str) -> None:
    source = (ROOT / f"{script}.py").read_text("utf-8")
    options = set(re.findall(r'"(--[a-z-]+)"', source))
    row = next(r for r in rows(page("reference/commands.md")) if r[0] == f"`python {script}.py`")
    assert options
    assert options == set(re.findall(r"--[a-z-]+", row[1]))


def test_files_page_names_only_files_that_ship_or_that_the_code_knows() -> None:
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "chatloop").rglob("*.py"))
    named = re.findall(r"^\| (`[^|]*) \|", page("reference/files.md"), re.MULTILINE)
    paths = [path.rstrip("/.") for cell in named for path in re.findall(r"`([^`]+)`", cell)]
    assert paths
    unknown = [path for path in paths if Path(path).name not in code]
    assert [p for p in unknown if not (ROOT / p).exists() and p not in MADE_BY_TOOLS] == []


def test_files_page_names_every_part_of_a_release(tiny: Path) -> None:
    folder = next((tiny / "models" / "releases").iterdir())
    text = page("reference/files.md")
    assert [part.name for part in folder.iterdir() if f"`{part.name}`" not in text] == []


def test_files_page_names_every_file_that_ships_in_data() -> None:
    ignored = (ROOT / ".gitignore").read_text("utf-8")
    shipped = re.findall(r"^!/(data/\S+)$", ignored, re.MULTILINE)
    assert shipped
    assert [name for name in shipped if f"`{name}`" not in page("reference/files.md")] == []


@pytest.mark.parametrize("name", [n for n in PAGES if blocks(n)])
def test_shell_snippets_can_be_parsed(name: str) -> None:
    for snippet in (*blocks(name), *blocks(name, "sh")):
        checked = shell("-n", snippet)
        assert checked.returncode == 0, f"{name}: {snippet}\n{checked.stderr}"


@pytest.mark.parametrize("name", [n for n in PAGES if blocks(n)])
def test_curl_snippets_call_routes_that_exist(
    name: str, tmp_path: Path, clean_environment: None
) -> None:
    schema = create_app(load_settings(home=tmp_path), with_ui=False).openapi()
    forms = [re.sub(r"\{\w+\}", "[^/]+", path) for path in schema["paths"]]
    called = re.findall(r"^curl.*?127\.0\.0\.1:8000(/[^\s'?]*)", "\n".join(blocks(name)), re.M)
    assert [c for c in called if not any(re.fullmatch(form, c) for form in forms)] == []


@pytest.fixture
def run_curl(tiny_home: Path, clean_environment: None) -> Iterator[Callable[[str], str]]:
    """Runs shell text against a small bot in place of the one on port 8000."""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    with (
        running(load_settings(home=tiny_home, llm="none")) as client,
        pytest.MonkeyPatch.context() as m,
    ):
        m.chdir(ROOT)  # the retraining child finds the package there
        address = str(client.base_url).removeprefix("http://").rstrip("/")

        def run(snippet: str) -> str:
            text = snippet.replace("127.0.0.1:8000", address)
            text = re.sub(r"^curl ", "curl -sS --noproxy '*' --fail-with-body ", text, flags=re.M)
            done = shell("-e", text)
            assert done.returncode == 0, f"{snippet}\n{done.stdout}\n{done.stderr}"
            return done.stdout

        yield run


def test_every_curl_of_the_first_chat_succeeds(run_curl: Callable[[str], str]) -> None:
    said = [run_curl(block) for block in blocks(FIRST_CHAT) if block.startswith("curl")]
    assert '"reason":"sure"' in said[0]
    assert '"pii":["email"]' in said[2]


def test_close_the_loop_shows_what_it_says(run_curl: Callable[[str], str]) -> None:
    snippets = [block for block in blocks(CLOSE_THE_LOOP) if block.startswith("curl")]
    said = [run_curl(snippet) for snippet in snippets]
    ask, correct, propose, more, retrain, see, back, models = said
    assert '"route"' in ask
    assert "stored; the next retrain learns from it" in correct
    assert "a new intent, waiting: 1 of 5 examples" in propose
    assert "waiting: 4 of 5" in more
    assert '"promoted":true' in retrain
    assert "subject Sponsorship" in see
    assert "subject Sponsorship" not in back
    assert '"act":"rollback"' in models


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built manual."""
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_the_manual_builds_without_a_warning(site: Path) -> None:
    assert (site / "index.html").is_file()
    assert (site / "search" / "search_index.json").is_file()


def test_error_anchors_lead_to_their_headings(site: Path) -> None:
    html = (site / "reference" / "errors" / "index.html").read_text("utf-8")
    assert [kind for kind in KINDS if f'id="{kind}"' not in html] == []


def test_no_page_asks_another_machine(site: Path) -> None:
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    loads = re.compile(r"<(?:script|link|img|iframe)\b[^>]*")
    found = {
        path.name: hit
        for path, html in pages.items()
        for tag in loads.findall(html)
        for hit in _ELSEWHERE.findall(tag)
    }
    assert found == {}
    assert (site / MERMAID).is_file()
    assert all(MERMAID in html for html in pages.values())
