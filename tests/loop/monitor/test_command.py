"""`monitoring.py` from the outside: what it prints and the code it exits with."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import monitoring

from .records import line, record

MAIL = "anna@example.com"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A folder with a sample log, in which the command runs with default settings."""
    for name in [name for name in os.environ if name.startswith("CHATLOOP_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "data" / "sample_chatbot_logs.jsonl").write_text(
        json.dumps({"prompt": f"mail {MAIL}", "answer": "ok", "confidence": 0.9}) + "\nbroken\n"
    )
    return tmp_path


@pytest.fixture
def call(home, capsys, monkeypatch):
    """Run monitoring.py; gives exit code, output and error output."""

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = monitoring.main(list(arguments))
        return code, *capsys.readouterr()

    return run


def objects(text: str) -> list[dict]:
    return [json.loads(one) for one in text.splitlines()]


def test_the_sample_is_streamed_redacted(call):
    code, out, _ = call("--stream")
    first, second = objects(out)
    assert code == 0
    assert (first["pii_detected"]["prompt"], first["error"]) == (["email"], None)
    assert second["error"] == "unreadable line 2"
    assert MAIL not in out


@pytest.mark.parametrize(
    ("confidence", "names", "code"),
    [(0.9, "pii,error,anomaly", 0), (0.01, "pii,error", 0), (0.01, "pii,anomaly", 1)],
)
def test_fail_on_sets_the_exit_code(call, confidence, names, code):
    fields = json.dumps({"prompt": "hello", "confidence": confidence})
    assert call("--stream", "-", "--fail-on", names, stdin=fields)[0] == code


def test_wrong_usage_is_exit_code_2(call):
    with pytest.raises(SystemExit, match="2"):
        call("--fail-on", "rain")


def test_d10_a_line_of_50_mb_is_one_unreadable_line(call, home):
    path = home / "long.jsonl"
    path.write_text('{"prompt":"' + "x" * 50_000_000 + '"}\n{"prompt":"next"}\n')
    _, out, _ = call("--stream", str(path))
    assert [item["error"] for item in objects(out)] == ["unreadable line 1", None]


def test_the_summary_is_printed_and_written(call, home):
    log, out = home / "logs" / "chat_metrics.log", home / "elsewhere.csv"
    log.write_bytes(line(record(pii_prompt=("email",))) + b"\ntorn\n")
    code, text, _ = call()
    assert code == 0
    assert "refund" in text
    assert "1 lines left out" in text
    assert (home / "logs" / "chat_summary.csv").read_text().count("\n") == 3
    assert call("--log", str(log), "--out", str(out), "--fail-on", "pii")[0] == 1
    assert out.exists()


@pytest.mark.parametrize("arguments", [(), ("--stream", "absent.jsonl")])
def test_a_missing_log_is_one_line_with_what_to_type(call, arguments):
    code, _, error = call(*arguments)
    assert code == 1
    assert error.count("\n") == 1
    assert "python monitoring.py --stream" in error


def test_following_goes_on_until_something_is_found(home):
    log = home / "logs" / "chat_metrics.log"
    log.write_bytes(line(record()) + b"\n")
    start = [sys.executable, monitoring.__file__, "--follow", "--fail-on", "pii"]
    environment = {**os.environ, "PYTHONPATH": str(Path(monitoring.__file__).parent)}
    with subprocess.Popen(start, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["error"] is None
        with log.open("ab") as file:
            file.write(line(record(pii_answer=("phone",))) + b"\n")
        assert json.loads(process.stdout.readline())["pii_detected"]["answer"] == ["phone"]
        assert process.wait(30) == 1


def test_a_reader_that_has_seen_enough_is_no_fault(home):
    (home / "many.jsonl").write_text("{}\n" * 20_000)
    start = [sys.executable, monitoring.__file__, "--stream", "many.jsonl"]
    environment = {**os.environ, "PYTHONPATH": str(Path(monitoring.__file__).parent)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(start, env=environment, **pipes) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0
