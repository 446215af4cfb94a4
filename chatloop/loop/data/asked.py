"""How customers ask: questions in their own words, beside the help pages.

A page may list, under `asked:` in its front matter, questions that its sections answer; the file
`not-covered.txt` lists questions that no page answers. Both make retrieval find, or refuse, what
is worded otherwise than the pages. Neither is shown to anybody.
"""

from __future__ import annotations

from pathlib import Path

from chatloop.core.errors import DataError
from chatloop.loop.data.knowledge import front_matter, passages_of, read_text

NOT_COVERED = "not-covered.txt"

Asked = dict[tuple[str, str], tuple[str, ...]]
"""Questions by page and heading."""


def read_asked(folder: Path) -> Asked:
    """Return the questions that the pages in `folder` list; raises DataError by page."""
    asked: Asked = {}
    for file in sorted(folder.glob("*.md")) if folder.is_dir() else ():
        text = read_text(file)
        head, _ = front_matter(file, text)
        headings = {passage.heading for passage in passages_of(file, text)}
        for heading, questions in _listed(file, head.get("asked")).items():
            if heading not in headings:
                raise DataError(f"{file}, `asked`: there is no section `## {heading}`")
            asked[file.stem, heading] = questions
    return asked


def _listed(file: Path, raw: object) -> dict[str, tuple[str, ...]]:
    entries = raw if isinstance(raw, dict) else {}
    if (raw and not entries) or not all(isinstance(q, list) for q in entries.values()):
        raise DataError(f"{file}, `asked`: expected a list of questions under each heading")
    return {str(heading): tuple(map(str, questions)) for heading, questions in entries.items()}


def read_not_covered(folder: Path) -> list[str]:
    """Return the questions that no page answers: one a line, `#` begins a remark."""
    file = folder / NOT_COVERED
    lines = read_text(file).splitlines() if file.exists() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
