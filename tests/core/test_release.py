from __future__ import annotations

import json
import os
import random
import threading
from pathlib import Path

import pytest

from chatloop.core import release as module
from chatloop.core.errors import ReleaseError
from chatloop.core.release import (
    HISTORY_LENGTH,
    MANIFEST,
    POINTER,
    Pointer,
    Release,
    list_versions,
    new_version,
    open_release,
    read_pointer,
    write_pointer,
    write_release,
)
from chatloop.turn.answer.content import load_content
from chatloop.turn.classify import load as load_scorer
from tests.fakes import NOW, current_release

PARTS = {"a.json": b'{"a": 1}', "b.bin": bytes(range(256))}
V1, V2 = "20260921T120000Z-aaaaaa", "20260921T120001Z-bbbbbb"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_release(tmp_path, PARTS, V1)
    return tmp_path


def part(models: Path, name: str, version: str = V1) -> Path:
    return models / "releases" / version / name


def test_a_written_release_reads_back(models):
    release = open_release(models, V1)
    assert {name: release.read(name) for name in PARTS} == PARTS
    release.verify()
    assert list_versions(models) == [V1]


def read_flipped(release: Release, name: str) -> None:
    if name == MANIFEST:
        open_release(release.path.parents[1], release.version, release.manifest_sha256)
    release.read(name)


def test_fifty_random_flips_in_a_real_release_are_refused_before_parsing(
    tiny_home, seed, monkeypatch
):
    """M3: whatever byte is damaged, in whatever part, no parser ever sees it."""
    rng = random.Random(seed)
    release = current_release(tiny_home)
    files = [*sorted(release.digests), MANIFEST]

    def parsed(*_a, **_k):
        raise AssertionError("damaged bytes were parsed")

    flipped = set()
    for _ in range(50):
        file = release.path / rng.choice(files)
        whole = file.read_bytes()
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        file.write_bytes(damaged)
        flipped.add(file.name)
        with monkeypatch.context() as patched:
            patched.setattr("numpy.load", parsed)
            patched.setattr("json.loads", parsed)
            with pytest.raises(ReleaseError, match="changed"):
                read_flipped(release, file.name)
        file.write_bytes(whole)
    assert len(flipped) > 5
    release.verify()


@pytest.mark.parametrize("load", [load_scorer, load_content])
def test_a_loader_refuses_a_damaged_part(tiny_home, load):
    release = current_release(tiny_home)
    for name in release.digests:
        (release.path / name).write_bytes(b"")
    with pytest.raises(ReleaseError, match="changed or damaged"):
        load(release)


def test_a_part_that_the_manifest_does_not_name_is_not_read(models):
    part(models, "extra.json").write_bytes(b"{}")
    with pytest.raises(ReleaseError, match=r"no part extra\.json"):
        open_release(models, V1).read("extra.json")


def test_an_absent_part_is_refused(models):
    part(models, "a.json").unlink()
    with pytest.raises(ReleaseError, match="not a plain file"):
        open_release(models, V1).verify()


def test_links_and_pipes_are_refused_without_opening_them(models, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(PARTS["a.json"])
    part(models, "a.json").unlink()
    part(models, "a.json").symlink_to(secret)
    part(models, "b.bin").unlink()
    os.mkfifo(part(models, "b.bin"))
    for name in PARTS:
        with pytest.raises(ReleaseError, match="not a plain file"):
            open_release(models, V1).read(name)


def test_a_giant_is_refused_before_it_is_read(models, monkeypatch):
    monkeypatch.setattr(module, "_MAX_PART_BYTES", 100)
    with pytest.raises(ReleaseError, match="not a plain file"):
        open_release(models, V1).read("b.bin")


def test_a_part_that_cannot_be_read_is_a_release_error(models, monkeypatch):
    release = open_release(models, V1)

    def refuse(_path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ReleaseError, match="Input/output error"):
        release.read("a.json")


@pytest.mark.parametrize(
    "version",
    [
        "",
        "..",
        "../x",
        "..%2f",
        "..\\",
        "/etc/passwd",
        "C:\\x",
        "\x00",
        "a" * 300,
        "latest",
        V1 + "/",
        V1.replace("2026", "２０２６"),
        V1 + "\n",
    ],
)
def test_odd_names_are_refused_by_their_form(models, version):
    with pytest.raises(ReleaseError, match="not a version name"):
        open_release(models, version)


def test_an_absent_or_linked_release_is_refused(models, tmp_path):
    with pytest.raises(ReleaseError, match="is not there"):
        open_release(models, V2)
    (models / "releases" / V2).symlink_to(models / "releases" / V1)
    with pytest.raises(ReleaseError, match="is not there"):
        open_release(models, V2)


def test_another_manifest_than_the_pointer_names_is_refused(models):
    with pytest.raises(ReleaseError, match="manifest was changed"):
        open_release(models, V1, "0" * 64)


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{", b"[]", b"null", b'{"parts": []}', b'{"version": "x", "parts": {}}', b"\xff\xfe"]
    + [json.dumps({"version": V1, "parts": {n: "0"}}).encode() for n in ("../x", "a/b", "a\\b")],
)
def test_a_malformed_manifest_is_refused(models, manifest):
    part(models, MANIFEST).write_bytes(manifest)
    with pytest.raises(ReleaseError, match="manifest"):
        open_release(models, V1)


def test_a_version_name_sorts_by_time_and_differs_with_each_writing():
    old, new = new_version(PARTS, NOW), new_version(PARTS, NOW + 1)
    assert old < new
    assert module.VERSION.fullmatch(old)
    assert new_version(PARTS, NOW) != old


def test_a_release_that_cannot_be_written_leaves_nothing(models, monkeypatch):
    def full(_path, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write_synced", full)
    with pytest.raises(ReleaseError, match="No space left"):
        write_release(models, PARTS, V2)
    assert [p.name for p in (models / "releases").iterdir()] == [V1]


def test_a_release_is_never_written_over(models):
    with pytest.raises(ReleaseError, match="cannot be written"):
        write_release(models, {"a.json": b"other"}, V1)
    open_release(models, V1).verify()


def test_half_a_release_is_not_listed_and_goes_with_the_next_write(models):
    left = models / "releases" / f".draft-{V2}"
    left.mkdir()
    (models / "releases" / "20260921T120009Z-cccccc").mkdir()
    assert list_versions(models) == [V1]
    write_release(models, PARTS, V2)
    assert not left.exists()
    assert list_versions(models) == [V1, V2]


def test_without_a_folder_there_are_no_versions_and_no_pointer(tmp_path):
    assert list_versions(tmp_path / "none") == []
    assert read_pointer(tmp_path / "none") is None


def test_a_pointer_reads_back_and_keeps_a_bounded_way_back(tmp_path):
    earlier = tuple((f"v{i}", str(i)) for i in range(HISTORY_LENGTH + 5))
    write_pointer(tmp_path, Pointer(V1, "ab", NOW, "ann", earlier))
    assert read_pointer(tmp_path) == Pointer(V1, "ab", NOW, "ann", earlier[-HISTORY_LENGTH:])
    assert [p.name for p in tmp_path.iterdir()] == [POINTER]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'"x"', b"\xff", b'{"version": 1}'])
def test_a_damaged_pointer_is_refused_with_a_way_out(tmp_path, raw):
    (tmp_path / POINTER).write_bytes(raw)
    with pytest.raises(ReleaseError, match="is damaged"):
        read_pointer(tmp_path)


def test_a_pointer_moves_in_one_step_that_no_reader_can_see_half_of(tmp_path):
    write_pointer(tmp_path, Pointer(V1, "a" * 64, NOW, "ann"))
    stop, seen, faults = threading.Event(), set(), []

    def read() -> None:
        while not stop.is_set():
            try:
                pointer = read_pointer(tmp_path)
                seen.add((pointer.version, pointer.manifest_sha256))
            except Exception as fault:
                faults.append(fault)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(100):
        pair = (V1, "a" * 64) if i % 2 else (V2, "b" * 64)
        write_pointer(tmp_path, Pointer(*pair, NOW, "ann"))
    stop.set()
    for reader in readers:
        reader.join()
    assert not faults
    assert seen <= {(V1, "a" * 64), (V2, "b" * 64)}


def test_a_failed_move_leaves_the_old_pointer(tmp_path, monkeypatch):
    write_pointer(tmp_path, Pointer(V1, "a", NOW, "ann"))

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_pointer(tmp_path, Pointer(V2, "b", NOW, "ann"))
    assert read_pointer(tmp_path).version == V1
