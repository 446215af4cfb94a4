"""Help pages, approved answers, golden phrases and the bot's own sentences: read and checked.

Every reader raises DataError with file and line (or key), so that an editor's slip is found
before it is served.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chatloop.core.errors import DataError
from chatloop.core.types import OOS
from chatloop.loop.data.passages import sections
from chatloop.loop.data.rows import LABEL_FORM
from chatloop.turn.answer.content import HANDS_OVER, HelpPassage

_SENTENCES = (
    "approved_degraded_intro",
    "empty_message",
    "hand_over",
    "not_covered",
    "passage_intro_llm_away",
    "passage_intro_llm_failed",
    "passage_intro_llm_loading",
    "passage_intro_local",
    "refusal",
    "talk_to_person_question",
)
"""What the bot must be able to say in every release."""


@dataclass(frozen=True, slots=True)
class ApprovedAnswer:
    """The words that the company stands behind for one intent; empty = not written yet.

    `hand_over`: a key of HANDS_OVER, when who has this intent goes to a person.
    """

    answer: str
    page: str | None = None
    hand_over: str | None = None


def read_pages(folder: Path) -> list[HelpPassage]:
    """Return the passages of all help pages in `folder`, in file and page order."""
    files = sorted(folder.glob("*.md")) if folder.is_dir() else []
    return [passage for file in files for passage in passages_of(file, read_text(file))]


def passages_of(file: Path, text: str) -> list[HelpPassage]:
    """Return the passages of one page; `file` gives its name, and where a fault is.

    Their offsets count the characters of `text`, front matter included.
    """
    head, body = front_matter(file, text)
    if not head.get("title"):
        raise DataError(f"{file}, line 1: a help page starts with `---`, `title: ...`, `---`")
    passages = [
        HelpPassage(file.stem, head["title"], heading, _anchor(heading), words, start, end)
        for heading, start, end, words in sections(text, len(text) - len(body))
    ]
    if not passages:
        raise DataError(f"{file}: a help page needs at least one `## Heading` with text below")
    return passages


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w]+", "-", heading.lower()).strip("-")


def front_matter(file: Path, text: str) -> tuple[dict[str, Any], str]:
    """Return what stands between the first two `---` lines, empty without them, and the rest.

    All values are texts but `asked`, which stays as it is.
    """
    parts = re.split(r"^---\s*$", text, maxsplit=2, flags=re.MULTILINE)
    head = parse_yaml(file, parts[1]) if len(parts) == 3 and not parts[0].strip() else None
    if not isinstance(head, dict):
        return {}, text
    return {str(k): v if k == "asked" else str(v) for k, v in head.items()}, parts[2]


def read_answers(file: Path) -> dict[str, ApprovedAnswer]:
    """Return the approved answers by intent."""
    raw = parse_yaml(file, read_text(file))
    entries = raw.get("answers") if isinstance(raw, dict) else None
    if not isinstance(entries, dict):
        raise DataError(f"{file}: expected `answers:` with one entry an intent")
    for intent in map(str, entries):
        if not LABEL_FORM.fullmatch(intent):
            raise DataError(f"{file}, `{intent}`: an intent must look like `reset_password`")
    return {str(i): answer_of(f"{file}, `{i}`", entry) for i, entry in entries.items()}


def answer_of(where: str, entry: Any) -> ApprovedAnswer:
    """Return one entry as an answer; raises DataError that begins with `where`."""
    if not isinstance(entry, dict) or set(entry) - {"answer", "page", "hand_over"}:
        raise DataError(f"{where}: expected `answer:` and, if you like, `page:` and `hand_over:`")
    page, hand_over = entry.get("page"), entry.get("hand_over")
    if hand_over is not None and hand_over not in tuple(HANDS_OVER):
        raise DataError(f"{where}: `hand_over:` is {' or '.join(HANDS_OVER)}, or left out")
    answer = str(entry.get("answer") or "").strip()
    return ApprovedAnswer(answer, str(page) if page else None, hand_over)


def read_golden(file: Path) -> list[tuple[str, str]]:
    """Return (text, intent) pairs that every release must get right; none when absent."""
    if not file.exists():
        return []
    pairs = []
    for number, cells in enumerate(
        csv.DictReader(io.StringIO(read_text(file), newline="")), start=2
    ):
        text, intent = cells.get("text"), cells.get("intent")
        if not text or not intent:
            raise DataError(f"{file}, row {number}: expected the columns text,intent")
        pairs.append((text, intent))
    return pairs


def read_messages(file: Path, language: str = "en") -> dict[str, str]:
    """Return the sentences that the bot says by itself, by key."""
    raw = parse_yaml(file, read_text(file))
    block = raw.get(language) if isinstance(raw, dict) else None
    if not isinstance(block, dict):
        raise DataError(f"{file}: expected a block `{language}:` of sentences")
    sentences = {str(key): str(text or "").strip() for key, text in block.items()}
    missing = [key for key in _SENTENCES if not sentences.get(key)]
    if missing:
        raise DataError(f"{file}: the sentence `{missing[0]}` is missing under `{language}:`")
    return sentences


def read_prompt(file: Path) -> str:
    """Return the instructions for a language model; they say where the help texts go."""
    text = read_text(file)
    if "{passages}" not in text:
        raise DataError(f"{file}: `{{passages}}` is missing: it says where the help texts go")
    return text


def unknown_labels(labels: Mapping[str, Any], known: set[str]) -> list[str]:
    """Return labels that no training row has, in order."""
    return [label for label in labels if label not in known and label != OOS]


def read_text(file: Path) -> str:
    """Return a UTF-8 text; raises DataError that says why it cannot be read."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror})") from error


def parse_yaml(file: Path, text: str) -> Any:
    """Return the values of a YAML text; raises DataError with file and line."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise DataError(f"{file}{where}: not valid YAML") from error
