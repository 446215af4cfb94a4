from __future__ import annotations

import json
import logging
import shutil
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from chatloop.core.errors import ReleaseError
from chatloop.core.release import (
    HISTORY_LENGTH,
    POINTER,
    open_release,
    read_pointer,
    write_release,
)
from chatloop.loop.register import releases
from chatloop.loop.register.build import METADATA, PIPELINE
from chatloop.loop.register.releases import (
    HISTORY,
    Switch,
    describe_all,
    promote,
    read_history,
    rollback,
)

V = [f"20260921T1200{n:02}Z-aaaa{n:02}" for n in range(20)]
FIGURES = {
    "created_at": "2026-09-21T12:00:00Z",
    "test": {
        "accuracy": {"value": 0.9, "low": 0.8, "high": 0.95, "n": 100},
        "macro_f1": {"value": 0.88},
    },
    "rows": {"fit": 70, "calibrate": 15, "test": 15},
    "intents": 4,
    "threshold": 0.6,
}


def make(models: Path, version: str) -> None:
    parts = {PIPELINE: version.encode(), METADATA: json.dumps(FIGURES).encode()}
    write_release(models, parts, version)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Three releases, promoted in order: V[2] is served."""
    for version in V[:3]:
        make(tmp_path, version)
        promote(tmp_path, version, "ann")
    return tmp_path


def damage(models: Path, version: str) -> None:
    (models / "releases" / version / METADATA).write_bytes(b"{}")


def current(models: Path) -> str:
    pointer = read_pointer(models)
    assert pointer is not None
    open_release(models, pointer.version, pointer.manifest_sha256).verify()
    return pointer.version


def test_a_promoted_release_is_served_and_the_way_back_is_kept(models):
    assert current(models) == V[2]
    pointer = read_pointer(models)
    assert [version for version, _ in pointer.earlier] == V[:2]
    assert pointer.actor == "ann"


def test_the_first_promotion_has_no_previous(tmp_path):
    make(tmp_path, V[0])
    assert promote(tmp_path, V[0], "ann") == Switch(V[0], None)


def test_copies_for_people_follow_the_pointer(models):
    assert (models / PIPELINE).read_bytes() == V[2].encode()
    rollback(models, "ann")
    assert (models / PIPELINE).read_bytes() == V[1].encode()
    assert json.loads((models / METADATA).read_text()) == FIGURES


@pytest.mark.parametrize(
    ("version", "message"),
    [(V[2], "already the current"), (V[9], "is not there"), ("../x", "not a version name")],
)
def test_what_cannot_be_promoted_changes_nothing(models, version, message):
    before = (models / POINTER).read_bytes()
    with pytest.raises(ReleaseError, match=message):
        promote(models, version, "ann")
    assert (models / POINTER).read_bytes() == before


def test_a_broken_release_is_not_promoted(models):
    damage(models, V[0])
    with pytest.raises(ReleaseError, match="changed or damaged"):
        promote(models, V[0], "ann")
    assert current(models) == V[2]


def test_a_damaged_pointer_does_not_stop_a_promotion(models):
    (models / POINTER).write_bytes(b"{")
    assert promote(models, V[1], "ann") == Switch(V[1], None)
    assert current(models) == V[1]


def test_rollback_goes_back_one_step_at_a_time(models):
    assert rollback(models, "bob") == Switch(V[1], V[2])
    assert rollback(models, "bob") == Switch(V[0], V[1])
    assert current(models) == V[0]
    with pytest.raises(ReleaseError, match="no earlier release"):
        rollback(models, "bob")
    assert current(models) == V[0]


def test_after_a_rollback_the_way_forward_is_a_promotion(models):
    rollback(models, "bob")
    promote(models, V[2], "bob")
    assert rollback(models, "bob").version == V[1]


def test_rollback_passes_over_a_broken_release(models, caplog):
    damage(models, V[1])
    with caplog.at_level(logging.WARNING):
        assert rollback(models, "bob") == Switch(V[0], V[2])
    assert current(models) == V[0]
    assert V[1] in caplog.text


@pytest.mark.parametrize("how", ["damaged", "gone", "another manifest"])
def test_rollback_with_nothing_whole_left_changes_nothing(models, how):
    before = (models / POINTER).read_bytes()
    for version in V[:2]:
        if how == "damaged":
            damage(models, version)
            continue
        shutil.rmtree(models / "releases" / version)
        if how == "another manifest":
            write_release(models, {METADATA: b"other"}, version)
    with pytest.raises(ReleaseError, match="no earlier release"):
        rollback(models, "bob")
    assert (models / POINTER).read_bytes() == before


def test_rollback_works_when_the_served_release_is_broken(models):
    damage(models, V[2])
    assert rollback(models, "bob").version == V[1]


def test_rollback_before_the_first_training_says_so(tmp_path):
    with pytest.raises(ReleaseError, match="no earlier release"):
        rollback(tmp_path, "bob")


def test_rollback_works_when_the_pointer_is_damaged(models):
    """The message of a damaged pointer tells people to roll back."""
    (models / POINTER).write_bytes(b"{")
    assert rollback(models, "bob").version in V[:2]


@pytest.mark.parametrize("act", [lambda m: rollback(m, "x"), lambda m: promote(m, V[0], "x")])
def test_a_missing_folder_is_a_release_error(tmp_path, act):
    with pytest.raises(ReleaseError):
        act(tmp_path / "models")


def test_rollback_works_when_the_history_cannot_be_written(models, caplog):
    (models / HISTORY).unlink()
    (models / HISTORY).mkdir()
    with caplog.at_level(logging.WARNING):
        assert rollback(models, "bob").version == V[1]
    assert current(models) == V[1]
    assert "were not written" in caplog.text


def test_rollback_works_when_the_copies_cannot_be_written(models):
    (models / PIPELINE).unlink()
    (models / PIPELINE).mkdir()
    assert rollback(models, "bob").version == V[1]


def test_a_move_that_fails_leaves_the_old_pointer_and_no_history(models, monkeypatch):
    before = (models / POINTER).read_bytes(), (models / HISTORY).read_bytes()

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(releases, "write_pointer", full)
    with pytest.raises(OSError, match="No space"):
        rollback(models, "bob")
    assert ((models / POINTER).read_bytes(), (models / HISTORY).read_bytes()) == before


def test_the_history_tells_who_did_what(models):
    rollback(models, "bob")
    entries = read_history(models)
    assert [(e["act"], e["version"], e["actor"]) for e in entries] == [
        ("promote", V[0], "ann"),
        ("promote", V[1], "ann"),
        ("promote", V[2], "ann"),
        ("rollback", V[1], "bob"),
    ]
    assert [e["previous"] for e in entries] == [None, V[0], V[1], V[2]]
    assert all(a["at"] <= b["at"] for a, b in pairwise(entries))


def test_unreadable_history_lines_are_left_out(models):
    with (models / HISTORY).open("a") as file:
        file.write("{torn\n")
    assert len(read_history(models)) == 3
    assert read_history(models / "none") == []


def test_history_lines_of_another_shape_are_left_out(models):
    with (models / HISTORY).open("a") as file:
        file.write("17\n")
    assert len(read_history(models)) == 3


def test_all_releases_are_described_newest_first(models):
    rollback(models, "bob")
    damage(models, V[0])
    found = describe_all(models)
    assert found["current"] == V[1]
    assert [m["version"] for m in found["models"]] == V[2::-1]
    assert [m["current"] for m in found["models"]] == [False, True, False]
    assert [m["state"] for m in found["models"]] == ["whole", "whole", "broken"]
    assert found["models"][0]["accuracy_interval"] == [0.8, 0.95]
    assert found["models"][0]["rows"] == 100
    assert "changed or damaged" in found["models"][2]["problem"]
    assert found["history"][0]["act"] == "rollback"


def test_nothing_yet_is_described_as_nothing(tmp_path):
    assert describe_all(tmp_path) == {"current": None, "models": [], "history": []}


def test_the_way_back_is_bounded(tmp_path):
    for version in V:
        make(tmp_path, version)
        promote(tmp_path, version, "ann")
    assert len(read_pointer(tmp_path).earlier) == HISTORY_LENGTH


def test_mixed_moves_at_once_end_in_one_valid_state(models):
    """M10: 20 parallel moves; every one is whole, and the last line tells what is served."""

    def move(n: int) -> None:
        try:
            if n % 3:
                promote(models, V[n % 3], f"actor {n}")
            else:
                rollback(models, f"actor {n}")
        except ReleaseError:
            pass

    threads = [threading.Thread(target=move, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert current(models) in V[:3]
    for line in (models / HISTORY).read_text().splitlines():
        assert json.loads(line)["version"] in V[:3]
