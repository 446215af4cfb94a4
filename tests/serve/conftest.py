"""A small trained home (built once, copied for each test) and clients of a running server."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatloop.core.settings import Settings, load_settings
from tests.serve.running import free_port, running


@dataclass(frozen=True)
class Home:
    """A folder with data, a trained release and no logs yet."""

    path: Path

    def settings(self, **changes: Any) -> Settings:
        values = {"llm": "none", "home": self.path, "database_url": None, **changes}
        return load_settings(**values)

    def flip_fit_labels(self) -> None:
        """Make the data so bad that no model trained on it may replace a good one."""
        path = self.path / "data" / "intents.csv"
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        labels = sorted({row["intent"] for row in rows})
        for row in rows:
            if row["split"] == "fit":
                row["intent"] = labels[(labels.index(row["intent"]) + 1) % len(labels)]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


@pytest.fixture
def trained_home(tiny: Path, tmp_path: Path) -> Home:
    path = tmp_path / "home"
    shutil.copytree(tiny, path)
    return Home(path)


@pytest.fixture
def client(trained_home: Home) -> Iterator[httpx.Client]:
    """A server that is to ask no language model."""
    with running(trained_home.settings()) as client:
        yield client


@pytest.fixture
def client_away(trained_home: Home) -> Iterator[httpx.Client]:
    """A server whose Ollama is away: nothing listens at its address."""
    address = f"http://127.0.0.1:{free_port()}"
    with running(trained_home.settings(llm="auto", ollama_api_url=address)) as client:
        yield client
