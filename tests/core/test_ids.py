from __future__ import annotations

import errno
import os
import random
import string
import subprocess
import sys
from itertools import pairwise
from math import sqrt
from pathlib import Path

import pytest

from chatloop.core.errors import SettingsError
from chatloop.core.ids import Pseudonyms, TurnIds, bucket, load_secret, turn_time
from tests.fakes import NOW, SECRET


def test_a_turn_id_is_known_again_and_tells_its_time():
    ids = TurnIds(SECRET)
    turn_id = ids.new(NOW)
    assert len(turn_id) == 42
    assert ids.valid(turn_id)
    assert turn_time(turn_id) == NOW


def test_a_turn_id_of_another_secret_is_refused():
    assert not TurnIds(b"another secret of some length").valid(TurnIds(SECRET).new())


def test_no_single_changed_character_passes(seed):
    ids, rng = TurnIds(SECRET), random.Random(seed)
    turn_id = ids.new()
    for place, old in enumerate(turn_id):
        new = rng.choice([c for c in string.printable if c != old])
        assert not ids.valid(turn_id[:place] + new + turn_id[place + 1 :])


@pytest.mark.parametrize(
    "text", ["", "x", "0" * 42, "../../etc/passwd", "٣" * 42, "8" * 26 + "A" * 16, "\n" * 42]
)
def test_what_is_no_turn_id_is_refused(text):
    assert not TurnIds(SECRET).valid(text)


def test_turn_ids_are_ordered_also_when_the_clock_steps_back_or_stands_still():
    ids = TurnIds(SECRET)
    moments = [NOW, NOW, NOW - 3600, NOW, NOW + 1]
    made = [ids.new(moment) for moment in moments]
    assert all(a[:26] < b[:26] for a, b in pairwise(made))
    assert all(ids.valid(turn_id) for turn_id in made)


def test_a_pseudonym_is_stable_and_keeps_kinds_people_and_secrets_apart():
    of = Pseudonyms(SECRET).of
    assert of("user", "ann") == of("user", "ann")
    others = [of("session", "ann"), of("user", "bob"), Pseudonyms(b"other" * 4).of("user", "ann")]
    assert len({of("user", "ann"), *others}) == 4
    assert len(of("user", "ann")) == 16
    assert "ann" not in of("user", "ann")


def test_nobody_has_no_pseudonym_and_a_broken_name_has_one():
    of = Pseudonyms(SECRET).of
    assert of("user", None) is None
    assert of("user", "") is None
    assert of("user", "\ud800")


def test_buckets_are_sticky_and_even():
    n, share = 20_000, 0.3
    values = [bucket("experiment", str(unit)) for unit in range(n)]
    assert values == [bucket("experiment", str(unit)) for unit in range(n)]
    assert all(0.0 <= u < 1.0 for u in values)
    below = sum(u < share for u in values) / n
    assert abs(below - share) < 2.576 * sqrt(share * (1 - share) / n)


def test_parts_of_a_bucket_do_not_run_together():
    assert bucket("ab", "c") != bucket("a", "bc")
    assert bucket("\ud800") >= 0.0


def test_the_secret_is_made_once_for_its_owner_only(tmp_path: Path):
    folder = tmp_path / "new" / "data"
    secret = load_secret(folder)
    assert len(secret) == 64
    assert load_secret(folder) == secret
    assert [file.name for file in folder.iterdir()] == ["secret.key"]
    assert (folder / "secret.key").stat().st_mode & 0o777 == 0o600


def test_a_given_secret_wins_and_no_file_is_made(tmp_path: Path):
    assert load_secret(tmp_path, "0123456789abcdef") == b"0123456789abcdef"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["short", None])
def test_a_short_secret_is_refused_with_a_way_to_make_one(tmp_path: Path, given):
    (tmp_path / "secret.key").write_text("short\n")
    with pytest.raises(SettingsError, match="token_hex"):
        load_secret(tmp_path, given)


def test_a_secret_that_cannot_be_made_is_a_settings_error(tmp_path: Path):
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(SettingsError, match="CHATLOOP_SECRET"):
        load_secret(tmp_path / "data")


def test_when_another_process_was_first_its_secret_counts(tmp_path: Path, monkeypatch):
    def link(_draft, path):
        Path(path).write_text("the secret of the other process")
        raise FileExistsError(errno.EEXIST, "exists")

    monkeypatch.setattr(os, "link", link)
    assert load_secret(tmp_path) == b"the secret of the other process"
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path):
    code = (
        "import sys, pathlib; from chatloop.core.ids import load_secret; "
        "print(load_secret(pathlib.Path(sys.argv[1])).decode())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    assert len({process.communicate()[0] for process in started}) == 1
    assert all(process.returncode == 0 for process in started)
