"""The tutorials about Ollama and help pages: their snippets, in order, do what the pages say."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatloop.core.settings import Settings, load_settings
from tests.fakes import tiny_release
from tests.ollama_standin import in_thread
from tests.serve.running import free_port, running, wait_for
from tests.test_docs import _FENCE, ROOT, page, shell

CONNECT, ADD_A_PAGE = "tutorial/connect-ollama.md", "tutorial/add-a-help-page.md"
SHELLS = {"sh", "bash"}
pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def snippets(name: str) -> list[str]:
    return [body for language, body in _FENCE.findall(page(name)) if language in SHELLS]


def run(home: Path, address: str, snippet: str) -> str:
    """Run a snippet in the project's folder, against the bot at `address`; returns its output."""
    text = snippet.replace("127.0.0.1:8000", address)
    text = re.sub(r"^curl ", "curl -sS --noproxy '*' --fail-with-body ", text, flags=re.MULTILINE)
    done = shell("-e", f"cd '{home}'\n{text}")
    assert done.returncode == 0, f"{snippet}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def paged(tiny_home: Path, clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny bot's home, with the help pages that ship.

    Without the list of what no page covers: with four intents, what it teaches makes no sense.
    """
    for file in (ROOT / "data" / "knowledge").glob("*.md"):
        shutil.copy(file, tiny_home / "data" / "knowledge")
    tiny_release(tiny_home)
    monkeypatch.chdir(ROOT)  # the retraining child finds the package there
    return tiny_home


def last(said: str) -> Any:
    """The last of the JSON replies that stand in a row."""
    found, rest = None, said.strip()
    while rest:
        found, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].lstrip()
    return found


def until(client: httpx.Client, expected: str) -> None:
    def reached() -> bool:
        return bool(client.get("/health").json()["llm"]["state"] == expected)

    wait_for(reached, f"{expected} in /health")


def settings(home: Path, port: int) -> Settings:
    return load_settings(
        home=home, ollama_api_url=f"http://127.0.0.1:{port}", llm_probe_interval_s=0.1
    )


class Reader:
    """Follows the page about Ollama, with a stand-in for the real one, and waits for the bot."""

    def __init__(self, client: httpx.Client, home: Path, port: int, running: ExitStack) -> None:
        self._client, self._port, self._running = client, port, running
        self._here = partial(run, home, str(client.base_url).removeprefix("http://"))

    def __call__(self, snippet: str) -> str:
        if snippet == "ollama serve\n":
            self.ollama = self._running.enter_context(in_thread(models=(), port=self._port))
            until(self._client, "no_model")
        elif snippet == "ollama pull llama3.2\n":
            self.ollama.models.append("llama3.2:latest")
            until(self._client, "ready")
        else:
            return self._here(snippet)
        return ""


def test_connect_ollama_shows_what_it_says(paged: Path) -> None:
    port = free_port()
    with running(settings(paged, port)) as client, ExitStack() as ollama:
        do = Reader(client, paged, port, ollama)
        *steps, once_more = snippets(CONNECT)
        said = [do(step) for step in steps]
        asked = [line["content"] for line in do.ollama.chats[-1]["messages"]]
        ollama.close()
        until(client, "away")
        gone = last(do(once_more))
    away, alone, _, no_model, _, ready, grounded, help_page, stream, follow_up = said
    states = [last(health)["llm"]["state"] for health in (away, no_model, ready)]
    assert states == ["away", "no_model", "ready"]
    for reply in (last(alone), gone):
        assert reply["chosen_model"] == "fallback"
        assert reply["degraded_reason"] == "llm_unreachable"
        assert reply["suggestions"]
    answer = last(grounded)
    assert (answer["chosen_model"], answer["degraded"]) == ("llm/llama3.2:latest", False)
    assert answer["sources"][0]["page"] == "automations"
    assert f'<section id="{answer["sources"][0]["anchor"]}">' in help_page
    assert stream.count("event: token") > 1
    assert stream.count("event: done") == 1
    assert last(follow_up)["route"]["reason"] == "follow_up"
    assert last(follow_up)["context"] == "session"
    assert "How do I get a refund?" in asked


def test_add_a_help_page_shows_what_it_says(paged: Path) -> None:
    with in_thread(models=["llama3.2"]) as ollama, running(settings(paged, ollama.port)) as client:
        until(client, "ready")
        here = partial(run, paged, str(client.base_url).removeprefix("http://"))
        before, _, retrain, after, help_page, back, _ = map(here, snippets(ADD_A_PAGE))
        prompts = [chat["messages"][0]["content"] for chat in ollama.chats if chat.get("messages")]
    shown = re.search(r"^```json\n(.*?)\n```", page(ADD_A_PAGE), re.MULTILINE | re.DOTALL)
    assert shown
    assert '"print-a-board"' not in before
    assert '"promoted":true' in retrain
    assert json.loads(after)["sources"][0] == json.loads(shown[1])
    assert '<section id="print-a-board-on-paper">' in help_page
    assert '"print-a-board"' not in back
    assert ["Menu > Print" in prompt for prompt in prompts] == [False, True, False]
    assert not (paged / "data" / "knowledge" / "print-a-board.md").exists()
