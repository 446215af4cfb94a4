"""Break a file, a folder or the disk: its line says so. Root ignores permissions, so folders are
broken by a file in their place.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chatloop.core.locks import exclusive
from chatloop.core.settings import Settings, load_settings
from chatloop.serve.doctor import folders
from tests.fakes import current_release
from tests.serve.doctor.diagnosing import findings_of


@pytest.fixture
def whole(tiny_home: Path, clean_environment: None) -> Settings:
    """Settings of a trained home."""
    return load_settings(home=tiny_home, llm="none")


def test_a_healthy_home_is_ok_in_every_line(whole: Settings) -> None:
    for check in ("folders", "data", "release", "log", "store"):
        states = {f.name: f.state for f in findings_of(check, whole).values()}
        assert set(states.values()) == {"ok"}, states


def test_looking_changes_nothing(whole: Settings) -> None:
    before = {p: p.stat().st_mtime_ns for p in whole.home.rglob("*")}
    for check in ("folders", "data", "release", "log", "store"):
        findings_of(check, whole)
    assert {p: p.stat().st_mtime_ns for p in whole.home.rglob("*")} == before


@pytest.mark.parametrize("name", ["data", "models", "logs"])
def test_a_folder_that_cannot_be_written_is_named(whole: Settings, name: str) -> None:
    shutil.rmtree(whole.home / name)
    (whole.home / name).write_text("a file where the folder belongs")
    finding = findings_of("folders", whole)["folders"]
    assert finding.state == "fail"
    assert f"{name} cannot be written (Not a directory)" in finding.found


def test_folders_that_are_not_there_yet_are_judged_by_the_one_above(tmp_path: Path) -> None:
    settings = Settings.model_construct(home=tmp_path / "new")
    found = findings_of("folders", settings)
    assert {f.state for f in found.values()} == {"ok"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("free", "state"), [(99_999_999, "fail"), (10**9, "warn"), (10**10, "ok")])
def test_a_full_disk_fails_and_a_nearly_full_one_warns(
    whole: Settings, free: int, state: str
) -> None:
    def free_bytes(folder: Path) -> int:
        return free if folder == whole.logs_dir else 10**12

    (disk, _) = folders.check(whole, free_bytes)
    assert (disk.name, disk.state) == ("disk", state)
    assert f"{free / 1e9:.1f} GB" in disk.found


def test_missing_data_names_the_command(whole: Settings) -> None:
    (whole.data_dir / "intents.csv").unlink()
    finding = findings_of("data", whole)["data"]
    assert (finding.state, finding.hint) == ("fail", "python prepare_data.py")


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("intents.csv", "text,intent,source,family,split\n,greeting,x,x,fit\n", "row 2"),
        ("intents.csv", "text,intent,source,family,split\n", "0 rows"),
        ("answers.yaml", "answers: {", "answers.yaml"),
        ("knowledge/billing.md", "no title", "billing.md, line 1"),
        ("messages.yaml", "version: 1\nen: {}\n", "messages.yaml"),
    ],
)
def test_damaged_data_is_named_with_its_place(
    whole: Settings, file: str, text: str, told: str
) -> None:
    (whole.data_dir / file).write_text(text)
    finding = findings_of("data", whole)["data"]
    assert finding.state == "fail"
    assert told in finding.found


def test_a_data_file_that_cannot_be_opened_is_named(whole: Settings) -> None:
    (whole.data_dir / "intents.csv").unlink()
    (whole.data_dir / "intents.csv").mkdir()
    finding = findings_of("data", whole)["data"]
    assert finding.state == "fail"
    assert "intents.csv" in finding.found
    assert "unexpected" not in finding.found


def test_no_release_names_the_command(whole: Settings) -> None:
    shutil.rmtree(whole.models_dir)
    finding = findings_of("release", whole)["release"]
    assert finding.state == "fail"
    assert "python train_model.py" in finding.hint


def test_a_flipped_byte_in_any_part_of_the_release_names_the_part(whole: Settings) -> None:
    release = current_release(whole.home)
    for part in release.digests:
        file = release.path / part
        good = file.read_bytes()
        file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        finding = findings_of("release", whole)["release"]
        assert finding.state == "fail"
        assert f"{part} was changed or damaged" in finding.found
        assert "rollback" in finding.hint
        file.write_bytes(good)
    assert findings_of("release", whole)["release"].state == "ok"


def test_a_damaged_pointer_fails(whole: Settings) -> None:
    (whole.models_dir / "current.json").write_text("{")
    finding = findings_of("release", whole)["release"]
    assert finding.state == "fail"
    assert "current.json is damaged" in finding.found


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (b'{"schema_version": 1, "turn', "half a line"),
        (b"not json\n", "unreadable"),
        (b'{"schema_version": 999}\n', "unknown_version"),
    ],
)
def test_a_log_that_ends_badly_is_a_warning(whole: Settings, end: bytes, told: str) -> None:
    whole.chat_log.write_bytes(b'{"an": "earlier line"}\n' + end)
    finding = findings_of("log", whole)["log"]
    assert finding.state == "warn"
    assert told in finding.found


def test_half_a_line_is_judged_between_two_writes(whole: Settings) -> None:
    whole.chat_log.write_bytes(b"half a li")
    with exclusive(whole.logs_dir / ".lock"):  # a writer at work, for longer than the check waits
        finding = findings_of("log", whole, limit_s=0.2)["log"]
    assert "no answer within 0.2 s" in finding.found


def test_a_log_that_cannot_be_opened_fails(whole: Settings) -> None:
    whole.chat_log.mkdir()
    finding = findings_of("log", whole)["log"]
    assert finding.state == "fail"
    assert "Is a directory" in finding.found
