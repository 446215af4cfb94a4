from __future__ import annotations

from pathlib import Path

import pytest

from chatloop.core.errors import DataError
from chatloop.core.types import OOS
from chatloop.loop.data import prepare as module
from chatloop.loop.data.knowledge import read_answers
from chatloop.loop.data.prepare import MARK, Prepared, prepare, summary_table
from chatloop.loop.data.rows import FILE, Part, Row, read_rows
from chatloop.loop.data.seed import Seed

CSV = "text,intent\nwater the plants,water_plants\ndry them,dry_plants\nhello there,oos\n"
CONFLICT = CSV + "dry them,water_plants\n"
SEEDS = tuple(
    Seed(intent, "", "", "Is it?", {"short": tuple(f"{text} {n}" for n in range(9))}, ("{a|b} c",))
    for intent, text in (
        ("get_invoice", "see the bill"),
        ("refund_request", "money"),
        (OOS, "sing"),
    )
)


@pytest.fixture(autouse=True)
def few_seeds(request, monkeypatch):
    """A small demo set, except where the shipped one is asked for."""
    if request.function is not test_the_shipped_demo_is_written_and_reads_back:
        monkeypatch.setattr(module, "load_seeds", lambda: SEEDS)


class Home:
    """A data folder and everything that was said while it was prepared."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.source = folder / "mine.csv"
        self.said: list[str] = []

    def prepare(self, content: str | None = None, **options) -> Prepared:
        if content is not None:
            self.source.write_text(content, "utf-8")
            options["source"] = self.source
        return prepare(self.data, **({"seed": 7, "say": self.said.append} | options))

    @property
    def table(self) -> bytes:
        return (self.data / FILE).read_bytes()

    @property
    def files(self) -> dict[str, bytes]:
        """Every file below data/, with its bytes."""
        return {
            str(file.relative_to(self.data)): file.read_bytes()
            for file in self.data.rglob("*")
            if file.is_file()
        }

    def copies(self) -> list[bytes]:
        return [file.read_bytes() for file in self.data.glob("intents.*.bak.csv")]


@pytest.fixture
def bare(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def demo(home: Path) -> Home:
    """A home with content, in which the demo set was prepared."""
    (home / "data" / FILE).unlink()
    found = Home(home)
    found.prepare()
    found.said.clear()
    return found


def test_the_shipped_demo_is_written_and_reads_back(bare):
    prepared = bare.prepare()
    assert len({row.intent for row in prepared.rows}) > 20
    assert read_rows(bare.data / FILE) == prepared.rows
    assert prepared.conflicts == 0
    assert any("labels" in line for line in bare.said)
    assert bare.said[-1] == "next: `python train_model.py`"


def test_the_same_seed_gives_the_same_bytes_and_nothing_to_refuse(bare):
    bare.prepare()
    before = bare.files
    bare.prepare()
    assert bare.files == before


def test_another_seed_replaces_what_no_person_touched(bare):
    bare.prepare()
    before = bare.table
    bare.prepare(seed=8)
    assert bare.table != before
    assert not bare.copies()


def test_a_changed_file_is_not_overwritten_without_force(demo):
    changed = demo.table + b"my own line,refund_request,import,f,fit\n"
    (demo.data / FILE).write_bytes(changed)
    before = demo.files
    with pytest.raises(DataError, match=r"was changed by hand.*--force"):
        demo.prepare()
    with pytest.raises(DataError, match="was changed by hand"):
        demo.prepare(CSV)
    assert demo.files == before


@pytest.mark.parametrize("content", [None, CSV])
def test_force_replaces_a_changed_file_and_keeps_a_copy(demo, content):
    changed = demo.table + b"my own line,refund_request,import,f,fit\n"
    (demo.data / FILE).write_bytes(changed)
    demo.prepare(content, force=True)
    assert demo.copies() == [changed]
    assert demo.table != changed
    assert any("kept a copy" in line for line in demo.said)


def test_a_file_without_a_mark_counts_as_changed(demo):
    (demo.data / MARK).unlink()
    with pytest.raises(DataError, match="changed by hand"):
        demo.prepare(seed=8)


def test_an_import_is_not_lost_to_the_demo_without_force(bare):
    bare.prepare(CSV)
    before = bare.files
    with pytest.raises(DataError, match="holds imported data"):
        bare.prepare()
    assert bare.files == before
    bare.prepare(force=True)
    assert bare.copies() == [before[FILE]]


BROKEN = [
    "text\nx\n",
    "",
    "text,intent\nx,aa\ny,aa\n",
    "text,intent,split\nx,aa,holdout\ny,bb,fit\n",
    "text,intent\nx,aa\nx,bb\n",
    "text,intent\n ,aa\ny,bb\n",
]


@pytest.mark.parametrize("content", BROKEN)
@pytest.mark.parametrize("force", [False, True])
def test_a_source_that_cannot_be_used_leaves_the_data_untouched(demo, content, force):
    before = demo.files
    with pytest.raises(DataError) as caught:
        demo.prepare(content, force=force)
    assert "\n" not in str(caught.value)
    assert demo.files == before


def test_an_absent_source_and_a_bad_json_leave_the_data_untouched(demo, tmp_path):
    before = demo.files
    (tmp_path / "bad.json").write_text("{")
    for name in ("none.csv", "bad.json"):
        with pytest.raises(DataError, match=name):
            demo.prepare(source=tmp_path / name)
    assert demo.files == before


def test_conflicts_are_set_aside_counted_and_named(bare):
    prepared = bare.prepare(CONFLICT + "stay,stay_here\n")
    assert prepared.conflicts == 1
    assert not [row for row in prepared.rows if row.text == "dry them"]
    line = "one text, two labels: `dry_plants` in row 3; `water_plants` in row 5"
    assert line in bare.said


def test_only_twenty_conflicts_are_shown(bare):
    many = "".join(f"text {n},aa\ntext {n},bb\n" for n in range(25))
    bare.prepare(CSV + many)
    assert sum("one text, two labels" in line for line in bare.said) == 20
    assert "... and 5 more" in bare.said


def test_strict_makes_a_conflict_fatal_and_leaves_the_data_untouched(demo):
    before = demo.files
    with pytest.raises(DataError, match=r"`dry_plants` in row 3.*--strict"):
        demo.prepare(CONFLICT + "stay,stay_here\n", strict=True)
    assert demo.files == before


def test_strict_without_a_conflict_goes_through(bare):
    assert bare.prepare(CSV, strict=True).conflicts == 0


def test_losses_and_redactions_are_told(bare):
    bare.prepare(CSV + " ,aa\nwater the plants,water_plants\nmail ann@example.com,dry_plants\n")
    (line,) = [line for line in bare.said if line.startswith("read ")]
    assert line.startswith("read 6 rows, kept 4: 1 empty, 1 exact duplicates, 0 near-duplicates")
    assert "personal data taken out: email: 1 rows" in bare.said


DEMO_CONTENT = ("answers.yaml", "golden.csv", "knowledge/passwords.md", "knowledge/billing.md")


def test_an_import_sets_the_demo_content_aside_and_the_demo_brings_it_back(demo):
    before = demo.files
    demo.prepare(CSV)
    during = demo.files
    assert {f"demo/{name}": before[name] for name in DEMO_CONTENT}.items() <= during.items()
    assert not {"golden.csv", "knowledge/billing.md"} & set(during)
    assert set(read_answers(demo.data / "answers.yaml")) == {"water_plants", "dry_plants"}
    demo.prepare(force=True)
    after = demo.files
    assert {name: after[name] for name in before} == before
    assert not (demo.data / "demo").exists()
    assert any(name.startswith("answers.yaml.") for name in after)


def test_a_second_import_keeps_the_answers_written_by_then(demo):
    demo.prepare(CSV)
    answers = demo.data / "answers.yaml"
    mine = "answers:\n  water_plants: {answer: Twice a week.}\n  dry_plants: {answer: Never.}\n"
    answers.write_text(mine)
    demo.prepare("text,intent\nwater them,water_plants\nrepot them,repot_plants\n")
    found = read_answers(answers)
    assert found["water_plants"].answer == "Twice a week."
    assert found["dry_plants"].answer == "Never."
    assert found["repot_plants"].answer == ""
    assert (demo.data / "demo" / "answers.yaml").exists()


def test_answers_that_lack_nothing_are_left_as_they_were_written(demo):
    demo.prepare(CSV)
    mine = "# ours\nanswers:\n  water_plants: {answer: x}\n  dry_plants: {answer: y}\n"
    (demo.data / "answers.yaml").write_text(mine)
    demo.prepare(CSV + "one more,dry_plants\n")
    assert (demo.data / "answers.yaml").read_text() == mine


def test_broken_answers_stop_an_import_before_anything_is_written(demo):
    demo.prepare(CSV)
    (demo.data / "answers.yaml").write_text("answers: [")
    before = demo.files
    with pytest.raises(DataError, match=r"answers\.yaml.*not valid YAML"):
        demo.prepare(CSV + "one more,dry_plants\n")
    assert demo.files == before


def test_what_is_still_missing_is_told(bare):
    bare.prepare("text,intent\nx,aa\ny,bb\n")
    missing = "\n".join(line for line in bare.said if line.startswith("missing:"))
    for part in ("2 of 2 approved answers", "help pages", "golden.csv", "out-of-scope rows"):
        assert part in missing


def test_a_whole_home_misses_nothing(demo):
    demo.prepare()
    assert not [line for line in demo.said if line.startswith("missing:")]


def test_the_table_counts_rows_a_part():
    parts = (Part.FIT, Part.FIT, Part.CALIBRATE, Part.TEST)
    rows = [Row(str(n), "aa", "import", str(n), part) for n, part in enumerate(parts)]
    table = summary_table([*rows, Row("x", "oos", "import", "f", Part.TEST)])
    cells = [line.split() for line in table if line]
    assert cells[1] == ["aa", "2", "1", "1", "4"]
    assert cells[2] == ["oos", "0", "0", "1", "1"]
    assert cells[3] == ["2", "labels", "2", "1", "2", "5"]
