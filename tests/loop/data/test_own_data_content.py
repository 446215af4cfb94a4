"""Answers and help pages that a person brings, and what an import says, lends and draws."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest

import prepare_data
from chatloop.core.errors import DataError
from chatloop.core.types import OOS
from chatloop.loop.data.knowledge import read_answers, read_golden, read_pages
from chatloop.loop.data.prepare import Own, Prepared, prepare
from chatloop.loop.data.rows import Part

THINGS = [f"{a} {b}" for a in ("red", "blue", "tall", "old", "new") for b in ("ivy", "oak", "fern")]
ASKED = {"Pflanzen gießen": "water my", "返金": "money back for"}
ROWS = [f"{ask} {thing},{label}\n" for label, ask in ASKED.items() for thing in THINGS]
MANY = "text,intent\n" + "".join(ROWS)
WATER, REFUND = "pflanzen_giessen", "intent_1e9dd939"
PAGES = {
    "plants/Watering plants.md": "# Watering\n\nTwice a week.\n\n## In winter\nOnce.\n",
    "refunds.md": "# Refunds #\nAsk us.\n```\n## no heading\n```\n",
    "house.md": "---\ntitle: House form\n---\n\nLead.\n\n## One\nFirst.\n",
}


class Home:
    """A data folder, a person's files beside it, and everything that was said."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.said: list[str] = []

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.folder / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def prepare(self, content: str = MANY, *, force: bool = False, **brought: Path) -> Prepared:
        own = Own(self.put("rows.csv", content), **brought)
        return prepare(self.data, seed=7, source=own, force=force, say=self.said.append)

    def pages(self) -> Path:
        for name, text in PAGES.items():
            self.put(f"help/{name}", text)
        return self.folder / "mine" / "help"

    @property
    def files(self) -> dict[str, bytes]:
        paths = (p for p in self.data.rglob("*") if p.is_file())
        return {str(p.relative_to(self.data)): p.read_bytes() for p in paths}

    def table(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO((self.data / name).read_text("utf-8"))))

    def line(self, start: str) -> str:
        (found,) = [line for line in self.said if line.startswith(start)]
        return found


@pytest.fixture
def mine(tmp_path: Path) -> Home:
    return Home(tmp_path)


YAML = 'answers:\n  Pflanzen gießen:\n    answer: "Twice."\n    page: plants/Watering plants.md\n'
TABLE = "Label;Answer;Page\nPflanzen gießen;Twice.;plants-Watering-plants\n返金;Ask.;\n"


@pytest.mark.parametrize(("name", "content"), [("a.yaml", YAML), ("a.csv", TABLE)])
def test_answers_come_with_the_labels_of_the_rows(mine, name, content):
    mine.prepare(answers=mine.put(name, content), knowledge=mine.pages())
    found = read_answers(mine.data / "answers.yaml")
    assert (found[WATER].answer, found[WATER].page) == ("Twice.", "plants-Watering-plants")
    assert found[REFUND].answer == ("Ask." if name == "a.csv" else "")


def test_pages_get_a_title_and_lose_no_text(mine):
    mine.prepare(knowledge=mine.pages())
    found = [(p.page, p.title, p.heading, p.text) for p in read_pages(mine.data / "knowledge")]
    assert found == [
        ("house", "House form", "One", "First."),
        ("plants-Watering-plants", "Watering", "Watering", "Twice a week."),
        ("plants-Watering-plants", "Watering", "In winter", "Once."),
        ("refunds", "Refunds", "Refunds", "Ask us.\n```"),
        ("refunds", "Refunds", "no heading", "```"),
    ]
    assert (mine.data / "knowledge" / "house.md").read_text() == PAGES["house.md"]


BROKEN_ANSWERS = {
    "a.yaml": [
        ("answers:\n  aa: [}\n", "line 2: not valid YAML"),
        ("answers:\n  aa: {answer: 2024-13-45}\n", "not valid YAML"),
        ("answers:\n  aa: {answer: \x1a}\n", "not valid YAML"),
        ("- x", "expected `answers:`"),
        ("", "expected `answers:`"),
        ("answers: {}", "no answers in it"),
        ("answers:\n  aa: {answer: x}\n  bb: x\n", "line 3, `bb`: expected `answer:`"),
        (
            "answers:\n  aa: {answer: x}\n  aa: {answer: y}\n",
            "line 3, `aa`: has an answer in line 2",
        ),
        ("answers:\n  aa: {answer: x}\n  AA: {answer: y}\n", r"line 3: the labels `aa` \(line 2\)"),
        ("answers:\n  ? [a]\n  : x\n", "line 2: expected an intent"),
        (
            "answers:\n  aa: {answer: x, page: none}\n",
            r"`aa` \(line 2\) names the help page `none`",
        ),
    ],
    "a.csv": [
        ("intent,text\naa,x\n", "row 1: column `answer` is missing; found: intent, text"),
        ("intent,answer\n,x\n", "line 2: the intent is empty"),
        ("intent,answer\naa,Hello, you\n", "row 2: 3 cells below a header of 2"),
        ("intent,answer,page\naa,x,none\n", r"`aa` \(line 2\) names the help page `none`"),
    ],
}
BROKEN_PAGES = [
    ("just text\n", "line 1: a help page needs a title"),
    ("", "line 1: a help page needs a title"),
    ("# Title\n", "line 1: the page has a title and no text"),
    ("---\ntitle: [\n---\n# T\nx\n", r"line \d+: not valid YAML"),
    (b"# T\n\x81", "not UTF-8"),
]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [(name, c, m) for name, cases in BROKEN_ANSWERS.items() for c, m in cases],
)
@pytest.mark.parametrize("force", [False, True])
def test_broken_answers_leave_the_data_untouched(mine, name, content, message, force):
    mine.prepare()
    before = mine.files
    with pytest.raises(DataError, match=message) as caught:
        mine.prepare(MANY + "x,返金\n", answers=mine.put(name, content), force=force)
    assert "\n" not in str(caught.value)
    assert mine.files == before


@pytest.mark.parametrize(("page", "message"), BROKEN_PAGES)
def test_a_broken_page_leaves_the_data_untouched(mine, page, message):
    mine.prepare()
    before = mine.files
    folder = mine.put("help/bad.md", page).parent
    with pytest.raises(DataError, match=message) as caught:
        mine.prepare(MANY + "x,返金\n", knowledge=folder, force=True)
    assert "bad.md" in str(caught.value)
    assert mine.files == before


def test_two_pages_of_one_name_and_a_folder_without_pages_are_errors(mine):
    mine.put("help/a/b.md", "# T\nx\n")
    folder = mine.put("help/a-b.md", "# T\nx\n").parent
    with pytest.raises(DataError, match="both become the page `a-b`"):
        mine.prepare(knowledge=folder)
    with pytest.raises(DataError, match="no Markdown files"):
        mine.prepare(knowledge=mine.folder / "none")
    assert not mine.data.exists()


def test_what_a_person_wrote_is_replaced_with_force_only_and_a_copy_stays(mine):
    answers = mine.put("a.csv", TABLE)
    mine.prepare(answers=answers, knowledge=mine.pages())
    mine.put("a.csv", TABLE.replace("Ask.", "Never."))
    mine.put("help/refunds.md", "# Refunds\nNo.\n")
    before = mine.files
    with pytest.raises(DataError, match=r"refunds\.md would be overwritten \(2 files\).*--force"):
        mine.prepare(answers=answers, knowledge=mine.folder / "mine/help")
    assert mine.files == before
    mine.prepare(answers=answers, knowledge=mine.folder / "mine/help", force=True)
    assert read_answers(mine.data / "answers.yaml")[REFUND].answer == "Never."
    copies = [data for name, data in mine.files.items() if name.endswith(".bak")]
    assert sorted(copies) == sorted([before["answers.yaml"], before["knowledge/refunds.md"]])


def test_answers_without_rows_are_told(mine):
    mine.prepare(answers=mine.put("a.csv", "intent,answer\nother,x\n"))
    assert "`other` (line 2)" in mine.line("warning: 1 answers")


def test_labels_keep_their_names_in_a_file(mine):
    mine.prepare()
    names = [("intent_1e9dd939", "返金"), ("pflanzen_giessen", "Pflanzen gießen")]
    assert [tuple(row.values()) for row in mine.table("labels.csv")] == names
    assert "data/labels.csv" in mine.line("2 labels were brought")
    mine.prepare("text,intent\nx,aa\ny,bb\n")
    assert not (mine.data / "labels.csv").exists()


def test_golden_phrases_are_drawn_outside_fit_and_a_persons_stay(mine):
    prepared = mine.prepare()
    held = {(r.text, r.intent) for r in prepared.rows if r.split != Part.FIT}
    drawn = read_golden(mine.data / "golden.csv")
    assert 2 <= len(drawn) <= 4
    assert set(drawn) <= held
    assert all("your import" in row["note"] for row in mine.table("golden.csv"))
    before = mine.files
    mine.prepare()
    assert mine.files == before
    (mine.data / "golden.csv").write_text("text,intent\nmine,aa\n")
    mine.prepare()
    assert read_golden(mine.data / "golden.csv") == [("mine", "aa")]


def test_out_of_scope_rows_are_lent_and_it_is_said(mine):
    lent = [row for row in mine.prepare().rows if row.intent == OOS]
    assert len(lent) == 100
    assert all(row.source.startswith("seed:") for row in lent)
    assert {row.split for row in lent} == set(Part)
    assert "100 shipped ones in English" in mine.line("missing: out-of-scope rows")


def test_the_report_shows_rows_and_no_text(mine):
    rows = [
        "water my ivy,water_it,train",
        "My ivy: water!,water_it,test",
        "mail ann@example.com,water_it,train",
        "secret words,water_it,train",
        "Secret words,waters_it,train",
        ",waters_it,train",
        "dry it,waters_it,train",
        "dry it,waters_it,train",
    ]
    mine.prepare("text,intent,split\n" + "\n".join(rows))
    report = (mine.data / "import_report.md").read_text()
    for part in (
        "# Import of rows.csv",
        "read 8 rows, kept 4: 1 empty, 1 exact duplicates",
        "- empty: rows 7",
        "- exact duplicates: rows 9",
        "- one text, two labels: rows 5, 6",
        "- email: rows 4",
        "- row 2 and row 3",
        "2 intents have fewer than 10 rows: `waters_it` 1, `water_it` 3",
        "`water_it` and `waters_it`",
    ):
        assert part in report
    assert "ivy" not in report
    assert "secret" not in report.lower()
    assert "ann@" not in "".join(data.decode() for data in mine.files.values())
    assert [row["row"] for row in mine.table("set_aside.csv")] == ["5", "6"]


def test_the_demo_takes_the_reports_of_an_import_away(mine):
    mine.prepare()
    prepare(mine.data, seed=7, force=True, say=mine.said.append)
    assert not {"import_report.md", "set_aside.csv", "labels.csv"} & set(mine.files)


def test_the_script_passes_its_options_on(mine, monkeypatch, capsys, clean_environment):
    rows = mine.put("rows.csv", "Frage|Thema|Teil\nx|aa|train\ny|bb|test\n")
    answers = mine.put("a.csv", "intent,answer,page\naa,Yes.,T\n")
    folder = mine.put("help/T.md", "# T\nx\n").parent
    options = ["--text-column=frage", "--intent-column=THEMA", "--split-column=teil"]
    command = ["prepare_data.py", "--from", str(rows), *options, "--answers", str(answers)]
    monkeypatch.setenv("CHATLOOP_HOME", str(mine.folder))
    monkeypatch.setattr(sys, "argv", [*command, "--knowledge", str(folder)])
    assert prepare_data.main() == 0
    assert read_answers(mine.data / "answers.yaml")["aa"].page == "T"
    monkeypatch.setattr(sys, "argv", ["prepare_data.py", "--answers", str(answers)])
    with pytest.raises(SystemExit, match="2"):
        prepare_data.main()
    assert "--from FILE" in capsys.readouterr().err
