"""The tutorial about OpenAI's clients: its Python, block after block, and its curl calls work."""

from __future__ import annotations

import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from chatloop.core.settings import load_settings
from tests.serve.running import running
from tests.test_docs import blocks, shell

PAGE = "tutorial/openai-clients.md"
ADDRESS = "127.0.0.1:8000"


def test_its_snippets_do_what_they_say(
    tiny_home: Path, clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    python, said = "".join(blocks(PAGE, "python")), StringIO()
    with running(load_settings(home=tiny_home, llm="none")) as client, redirect_stdout(said):
        address = str(client.base_url).removeprefix("http://")
        names: dict[str, Any] = {}
        exec(python.replace(ADDRESS, address), names)
        names["bot"].close()
    assert "local sure" in said.getvalue()
    assert "0 tokens" in said.getvalue()
    assert said.getvalue().endswith("thank you; stored\n")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_its_curl_calls_succeed(tiny_home: Path, clean_environment: None) -> None:
    calls = [block for block in blocks(PAGE) if block.startswith("curl")]
    with running(load_settings(home=tiny_home, llm="none")) as client:
        address = str(client.base_url).removeprefix("http://")
        text = "".join(calls).replace(ADDRESS, address)
        done = shell("-e", text.replace("curl ", "curl -sS --noproxy '*' --fail-with-body "))
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"auto"' in done.stdout
    assert '"finish_reason":"stop"' in done.stdout
