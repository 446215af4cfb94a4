"""The scripts and commands as a user types them: each wrong order gives one line and exit 1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chatloop.core.release import read_pointer
from tests.serve.running import ROOT, free_port


def run(
    home: Path, *command: str, typed: str | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CHATLOOP_", "OLLAMA_"))}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**clean, "CHATLOOP_HOME": str(home), "CHATLOOP_LLM": "none", **env},
        capture_output=True,
        text=True,
        timeout=120,
        input=typed,
        check=False,
    )


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """The one line that a fault prints; no traceback."""
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert result.returncode == 1, result
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_training_before_preparing_names_the_command(tmp_path: Path) -> None:
    assert "python prepare_data.py" in one_line(run(tmp_path, "train_model.py"))


def test_serving_before_training_names_the_command(tmp_path: Path) -> None:
    both = one_line(run(tmp_path, "-m", "uvicorn", "main:app", "--port", str(free_port())))
    assert "prepare_data.py" in both
    assert "train_model.py" in both
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "intents.csv").write_text("text,intent,source,family,split\n")
    serve = one_line(run(tmp_path, "-m", "chatloop", "serve"))
    assert "python train_model.py" in serve


def test_monitoring_without_a_log_names_the_command(tmp_path: Path) -> None:
    assert "make run" in one_line(run(tmp_path, "monitoring.py"))


@pytest.mark.parametrize("command", [("-m", "chatloop", "serve"), ("gradio_app.py",)])
def test_a_taken_port_is_one_line(trained_home, command: tuple[str, ...]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        env = {"CHATLOOP_PORT": port, "CHATLOOP_UI_PORT": port}
        assert port in one_line(run(trained_home.path, *command, **env))


def test_a_wrong_setting_is_one_line_that_names_it(trained_home) -> None:
    result = run(trained_home.path, "-m", "chatloop", "models", CHATLOOP_AB_PORB="0.5")
    assert "ab_prob" in one_line(result)


def test_models_promote_and_rollback_work_with_the_server_down(trained_home) -> None:
    first = read_pointer(trained_home.path / "models").version
    assert run(trained_home.path, "train_model.py").returncode == 0
    second = read_pointer(trained_home.path / "models").version
    assert second != first
    listed = run(trained_home.path, "-m", "chatloop", "models").stdout
    assert f"* {second}" in listed
    assert first in listed
    assert run(trained_home.path, "-m", "chatloop", "rollback").returncode == 0
    assert read_pointer(trained_home.path / "models").version == first
    assert "no earlier release" in one_line(run(trained_home.path, "-m", "chatloop", "rollback"))
    assert run(trained_home.path, "-m", "chatloop", "promote", second).returncode == 0
    assert read_pointer(trained_home.path / "models").version == second
    again = one_line(run(trained_home.path, "-m", "chatloop", "promote", second))
    assert "already the current one" in again


def test_the_switch_itself_takes_under_a_second(trained_home) -> None:
    from chatloop.loop.register.releases import rollback

    assert run(trained_home.path, "train_model.py").returncode == 0
    begun = time.perf_counter()
    rollback(trained_home.path / "models", "test")
    assert time.perf_counter() - begun < 5  # wide: the machine may be busy; the goal is 1


def test_a_staff_report_lands_in_store_and_file_redacted(trained_home) -> None:
    result = run(
        trained_home.path,
        *("-m", "chatloop", "feedback", "--user-id", "staff-7", "--feedback-type", "bug_report"),
        *("--description", "the badge is wrong, ask bob@example.com"),
    )
    assert result.returncode == 0, result
    kept = (trained_home.path / "data" / "chatbot_feedback.jsonl").read_text()
    assert "[EMAIL_1]" in kept
    assert "bob@" not in kept
    assert "staff-7" not in kept


def test_importing_the_server_imports_nothing_of_training_or_search(trained_home) -> None:
    loaded = loaded_by("import main", trained_home.path)
    assert not loaded & {"sklearn", "joblib", "gradio", "bm25s", "scipy", "faiss"}


def test_what_only_a_running_server_needs_is_loaded_at_its_start(trained_home) -> None:
    assert not loaded_by("import main", trained_home.path) & {"sqlalchemy", "httpx", "pandas"}
    start = (
        "import main; from fastapi.testclient import TestClient; TestClient(main.app).__enter__()"
    )
    assert "sqlalchemy" in loaded_by(start, trained_home.path)


def loaded_by(code: str, home: Path) -> set[str]:
    """The modules that a fresh process has loaded after `code`."""
    ending = "; import os, sys; print(*sys.modules, flush=True); os._exit(0)"
    result = run(home, "-c", code + ending)
    assert result.returncode == 0, result
    return set(result.stdout.split())


def test_prepare_and_train_say_what_they_do(tmp_path: Path) -> None:
    result = run(tmp_path, "prepare_data.py")
    assert result.returncode == 0
    assert "refund_request" in result.stdout
    assert "train_model.py" in result.stdout
