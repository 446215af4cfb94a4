from __future__ import annotations

import pytest

from chatloop.core.errors import DataError
from chatloop.loop.data.asked import NOT_COVERED, read_asked, read_not_covered
from chatloop.loop.data.knowledge import read_pages

HEAD = "---\ntitle: T\nasked:\n{}---\n## One\nFirst.\n## Two\nSecond.\n"


def page(folder, asked: str) -> None:
    (folder / "p.md").write_text(HEAD.format(asked), "utf-8")


def test_questions_are_read_by_page_and_heading(tmp_path):
    page(tmp_path, "  One: [where is it, 42]\n")
    assert read_asked(tmp_path) == {("p", "One"): ("where is it", "42")}
    assert [p.text for p in read_pages(tmp_path)] == ["First.", "Second."]


@pytest.mark.parametrize("folder", ["none", "."])
def test_without_pages_or_lists_nothing_is_asked(tmp_path, folder):
    (tmp_path / "p.md").write_text("---\ntitle: T\n---\n## One\nx\n", "utf-8")
    assert read_asked(tmp_path / folder if folder == "none" else tmp_path) == {}
    assert read_not_covered(tmp_path / folder) == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("  Three: [x]\n", "no section `## Three`"),
        ("  One: x\n", "expected a list"),
        ("  - x\n", "expected a list"),
    ],
)
def test_a_slip_is_named_with_its_page(tmp_path, asked, message):
    page(tmp_path, asked)
    with pytest.raises(DataError, match=rf"p\.md, `asked`: .*{message}"):
        read_asked(tmp_path)


def test_what_is_not_covered_is_one_question_a_line(tmp_path):
    (tmp_path / NOT_COVERED).write_text("# why\n\n gantt chart? \nsing\n", "utf-8")
    assert read_not_covered(tmp_path) == ["gantt chart?", "sing"]
