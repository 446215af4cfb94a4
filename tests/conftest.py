"""Fixtures for every test: a home folder with small content, and one that is trained."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from chatloop.core.release import Release
from chatloop.core.settings import Settings, load_settings
from tests.fakes import current_release, tiny_release, write_content

CASES = Path(__file__).parent / "cases"


def read_cases(name: str) -> list[dict[str, Any]]:
    """Read a table of cases; anyone may add a line to it."""
    return [json.loads(line) for line in (CASES / name).read_text("utf-8").splitlines() if line]


@pytest.fixture
def seed() -> int:
    """The seed of a random test: fixed, or TEST_SEED; printed, to repeat a failure with."""
    number = int(os.environ.get("TEST_SEED", "7"))
    print(f"seed {number} (set TEST_SEED for another)")
    return number


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of one's own with the tiny bot's content, not trained."""
    write_content(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained home for the whole session: read it or copy it, never change it."""
    home = tmp_path_factory.mktemp("tiny") / "home"
    write_content(home)
    tiny_release(home)
    return home


@pytest.fixture
def tiny_home(tiny: Path, tmp_path: Path) -> Path:
    """A trained home of one's own."""
    return Path(shutil.copytree(tiny, tmp_path / "tiny"))


@pytest.fixture(scope="session")
def release(tiny: Path) -> Release:
    """The release of the tiny bot: read it, never change it."""
    return current_release(tiny)


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting from outside: no variables, and a folder without config.toml."""
    for name in os.environ:
        if name.startswith("CHATLOOP_") or name in {"OLLAMA_API_URL", "OLLAMA_HOST"}:
            monkeypatch.delenv(name)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(home: Path, clean_environment: None) -> Settings:
    """Defaults, without a language model, for a home of one's own."""
    return load_settings(home=home, llm="none")
