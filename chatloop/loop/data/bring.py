"""Reads the answers and help pages that a person brings, and brings them into the house form.

Writes nothing: the caller writes when everything is in order. Answers are the company's own
words, so unlike rows they are not redacted. Faults are one line with file and line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from chatloop.core.errors import DataError
from chatloop.loop.data.knowledge import ApprovedAnswer, answer_of, front_matter, passages_of
from chatloop.loop.data.labels import Labels
from chatloop.loop.data.sources import INTENT
from chatloop.loop.data.tables import Role, Say, decode, read_table

_ANSWER_ROLES = (
    Role("intent", INTENT),
    Role("answer", ("answer", "reply", "response")),
    Role("page", ("page",), needed=False),
)
_TITLE = re.compile(r"#\s+(.+?)[\s#]*$")
_SECTION = re.compile(r"##\s+\S")
_FENCE = ("```", "~~~")


@dataclass(frozen=True, slots=True)
class Brought:
    """An answer from a person's file, and the line that it stands in."""

    answer: ApprovedAnswer
    line: int


def bring_answers(path: Path, say: Say) -> dict[str, Brought]:
    """Return the answers of a YAML (as `answers.yaml`) or table file, by label."""
    text = decode(path, say)
    is_yaml = path.suffix.lower() in {".yaml", ".yml"}
    labels = Labels(path, "line")
    found: dict[str, Brought] = {}
    for raw, line, entry in (_yaml_entries if is_yaml else _table_entries)(path, text):
        label, _ = labels.of(raw, line)
        where = f"{path}, line {line}, `{label}`"
        if label in found:
            raise DataError(f"{where}: has an answer in line {found[label].line} already")
        answer = answer_of(where, entry)
        page = page_name(answer.page.removesuffix(".md")) if answer.page else None
        found[label] = Brought(replace(answer, page=page), line)
    if not found:
        raise DataError(f"{path}: no answers in it")
    return found


def _yaml_entries(path: Path, text: str) -> Iterator[tuple[str, int, Any]]:
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        for key, value in _pairs(path, _under_answers(root)):
            yield key.value, key.start_mark.line + 1, loader.construct_object(value, deep=True)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise DataError(f"{path}{where}: not valid YAML") from error


def _under_answers(root: yaml.Node | None) -> yaml.Node | None:
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == "answers"), None)


def _pairs(path: Path, node: yaml.Node | None) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise DataError(f"{path}: expected `answers:` with one entry an intent")
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise DataError(f"{path}, line {key.start_mark.line + 1}: expected an intent")
        yield key, value


def _table_entries(path: Path, text: str) -> Iterator[tuple[str, int, Any]]:
    for number, (intent, answer, page) in read_table(path, text, _ANSWER_ROLES):
        yield intent or "", number, {"answer": answer, "page": (page or "").strip()}


def bring_pages(folder: Path, say: Say) -> dict[str, bytes]:
    """Return the Markdown files below `folder` as help pages, by page name.

    A page in the house form stays as it is. Another one takes its title from its first `# Title`;
    what stands before the first `##` becomes a passage of its own.
    """
    files = sorted(folder.rglob("*.md")) if folder.is_dir() else []
    if not files:
        raise DataError(f"{folder}: no Markdown files (.md) in this folder")
    pages: dict[str, bytes] = {}
    origins: dict[str, Path] = {}
    for file in files:
        name = page_name("-".join(file.relative_to(folder).with_suffix("").parts))
        if name in pages:
            raise DataError(f"{file} and {origins[name]} both become the page `{name}`; rename one")
        page = _house_page(file, decode(file, say))
        passages_of(file, page)
        pages[name], origins[name] = page.encode("utf-8"), file
    return pages


def page_name(stem: str) -> str:
    """Return a page's name as it can stand in an address."""
    return re.sub(r"[^\w.-]+", "-", stem).strip("-")


def _house_page(file: Path, text: str) -> str:
    head, body = front_matter(file, text)
    title, lead, sections = _taken_apart(body)
    if head.get("title") and sections:
        return text
    title = head.get("title") or title
    if not title:
        raise DataError(f"{file}, line 1: a help page needs a title: `# Title` in a line, or `---`")
    if not (lead.strip() or sections.strip()):
        raise DataError(f"{file}, line 1: the page has a title and no text below it")
    intro = f"## {title}\n{lead.strip()}\n\n" if lead.strip() else ""
    return f"---\ntitle: {json.dumps(title, ensure_ascii=False)}\n---\n\n{intro}{sections}"


def _taken_apart(body: str) -> tuple[str, str, str]:
    """Return the first `# Title`, the text without it up to the first `##`, and the rest."""
    title, fenced = "", False
    lead: list[str] = []
    lines = body.splitlines(keepends=True)
    for number, line in enumerate(lines):
        fenced ^= line.lstrip().startswith(_FENCE)
        if not fenced and _SECTION.match(line):
            return title, "".join(lead), "".join(lines[number:])
        match = _TITLE.match(line) if not (title or fenced) else None
        title = match.group(1) if match else title
        lead += [] if match else [line]
    return title, "".join(lead), ""
