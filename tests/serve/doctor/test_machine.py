"""The lines `python` and `packages`, and a Python that lacks everything."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from chatloop.serve.doctor.machine import REQUIREMENTS, check_packages, check_python
from tests.serve.running import ROOT

PINS = """\
httpx==0.28.1 \\
    --hash=sha256:00
pyyaml==6.0.3 \\
    --hash=sha256:00
for-old==1.0 ; python_full_version < '3.0' \\
    --hash=sha256:00
"""


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text(PINS)
    return file


def test_an_old_python_fails_and_names_the_version_that_is_needed() -> None:
    (finding,) = check_python((3, 10, 4))
    assert finding.state == "fail"
    assert "3.10.4 is too old, 3.11" in finding.found
    assert "python3.11" in finding.hint
    assert next(check_python()).state == "ok"


def test_a_missing_package_is_named(pins: Path) -> None:
    def installed(name: str) -> str:
        if name == "pyyaml":
            raise PackageNotFoundError(name)
        return "0.28.1"

    (finding,) = check_packages(pins, installed)
    assert (finding.state, finding.found) == ("fail", "1 of 2 missing: pyyaml")
    assert "make setup" in finding.hint


def test_another_version_than_the_pinned_one_is_a_warning(pins: Path) -> None:
    found = {"httpx": "0.27.0", "pyyaml": "6.0.3"}
    (finding,) = check_packages(pins, found.__getitem__)
    assert finding.state == "warn"
    assert "httpx 0.27.0 (pinned 0.28.1)" in finding.found


def test_a_pin_for_another_python_is_no_pin_here(pins: Path) -> None:
    asked = []

    def installed(name: str) -> str:
        asked.append(name)
        return {"httpx": "0.28.1"}.get(name, "6.0.3")

    (finding,) = check_packages(pins, installed)
    assert finding.state == "ok"
    assert asked == ["httpx", "pyyaml"]


def test_without_the_file_of_pins_nothing_is_claimed(tmp_path: Path) -> None:
    (finding,) = check_packages(tmp_path / "requirements.txt")
    assert finding.state == "warn"
    assert "not compared" in finding.found


def test_every_pin_of_the_shipped_file_is_read() -> None:
    pins = {x.split("==")[0] for x in REQUIREMENTS.read_text().splitlines() if "==" in x}
    asked = set()

    def installed(name: str) -> str:
        asked.add(name)
        return version(name)

    (finding,) = check_packages(REQUIREMENTS, installed)
    assert finding.state != "fail"
    assert asked <= pins
    assert len(asked) > 0.8 * len(pins)  # the rest is for other systems


def test_without_any_package_every_command_ends_in_the_doctor() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "chatloop", "serve"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    states = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}
    assert done.returncode == 1
    assert done.stderr.startswith("the commands cannot be loaded (No module named ")
    assert len(done.stderr.splitlines()) == 1
    assert states == {"python": "ok", "packages": "fail", "settings": "fail"}
    assert "make setup" in done.stdout
