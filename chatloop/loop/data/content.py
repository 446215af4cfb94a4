"""Answers, help pages and golden phrases in data/: whose they are, and what an import does to them.

The demo's move to data/demo/, because they belong to other intents. What a person wrote is never
overwritten without `force`, which keeps a copy. Planning writes nothing, so that a fault in any
file leaves everything as it was.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from chatloop.core.errors import DataError
from chatloop.loop.data.bring import Brought, bring_answers, bring_pages
from chatloop.loop.data.knowledge import ApprovedAnswer, read_answers, unknown_labels
from chatloop.loop.data.tables import Say

ANSWERS, GOLDEN, KNOWLEDGE = "answers.yaml", "golden.csv", "knowledge"
DEMO = "demo"
_DEMO_CONTENT = (ANSWERS, GOLDEN, KNOWLEDGE)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write, by path, and which files to copy first."""

    files: dict[Path, bytes]
    copies: tuple[Path, ...] = ()


def plan_content(
    data_dir: Path,
    intents: set[str],
    *,
    brought: Mapping[str, Brought],
    pages: Mapping[str, bytes],
    force: bool,
) -> Plan:
    """Return the answers and pages to write, with an empty entry for a new intent.

    Raises DataError for a link to no page, and when a person's work would be lost without `force`.
    """
    file, folder = data_dir / ANSWERS, data_dir / KNOWLEDGE
    known = own_answers(data_dir)
    known_pages = {p.stem for p in folder.glob("*.md")} if is_own(data_dir) else set()
    _refuse_dead_links(brought, known_pages | set(pages))
    entries = {intent: ApprovedAnswer("") for intent in intents} | known
    entries |= {intent: b.answer for intent, b in brought.items() if b.answer.answer}
    files = {folder / f"{name}.md": page for name, page in pages.items()}
    lost = [f for f in files if is_own(data_dir) and f.exists() and f.read_bytes() != files[f]]
    if any(answer.answer and entries[intent] != answer for intent, answer in known.items()):
        lost.append(file)
    if lost and not force:
        raise DataError(
            f"{lost[0]} would be overwritten ({len(lost)} files): nothing was written; use --force "
            "to replace what is there (a copy stays)"
        )
    if entries != known:
        files[file] = _as_yaml(entries)
    return Plan(files, tuple(lost))


def is_own(data_dir: Path) -> bool:
    """Return whether the content in `data_dir` is a person's: the demo's lies aside."""
    return (data_dir / DEMO).exists()


def answers_in(data_dir: Path) -> dict[str, ApprovedAnswer]:
    """Read the approved answers, whoever wrote them; raises DataError when the file is broken."""
    file = data_dir / ANSWERS
    return read_answers(file) if file.exists() else {}


def own_answers(data_dir: Path) -> dict[str, ApprovedAnswer]:
    """Read a person's answers; none while the file is the demo's, which must be in order too."""
    answers = answers_in(data_dir)
    return answers if is_own(data_dir) else {}


def read_brought(
    answers: Path | None, knowledge: Path | None, say: Say
) -> tuple[dict[str, Brought], dict[str, bytes]]:
    """Read what a person brings beside the rows, and say how much it is."""
    brought = bring_answers(answers, say) if answers else {}
    pages = bring_pages(knowledge, say) if knowledge else {}
    if brought:
        say(f"read {len(brought)} answers from {answers}")
    if pages:
        say(f"read {len(pages)} help pages from {knowledge}")
    return brought, pages


def strangers(brought: Mapping[str, Brought], intents: set[str]) -> list[str]:
    """Return a line about answers for intents that no row has; none when there are none."""
    unknown = unknown_labels(brought, intents)
    if not unknown:
        return []
    named = ", ".join(f"`{label}` (line {brought[label].line})" for label in unknown[:20])
    return [f"warning: {len(unknown)} answers are for intents without rows: {named}"]


def _refuse_dead_links(brought: Mapping[str, Brought], pages: set[str]) -> None:
    for intent, found in brought.items():
        page = found.answer.page
        if page and page not in pages:
            raise DataError(
                f"the answer for `{intent}` (line {found.line}) names the help page `{page}`, "
                "which is not there; bring it with --knowledge, or leave `page` empty"
            )


def _as_yaml(entries: Mapping[str, ApprovedAnswer]) -> bytes:
    body = {i: {k: v for k, v in asdict(a).items() if v is not None} for i, a in entries.items()}
    return yaml.safe_dump({"version": 1, "answers": body}, allow_unicode=True).encode("utf-8")


def set_demo_aside(data_dir: Path, say: Say) -> None:
    """Move the demo's content to data/demo/, once."""
    demo = data_dir / DEMO
    if demo.exists():
        return
    demo.mkdir(parents=True)
    for name in _DEMO_CONTENT:
        if (data_dir / name).exists():
            shutil.move(data_dir / name, demo / name)
    say(f"set the demo's answers, help pages and golden phrases aside in {demo}")


def bring_demo_back(data_dir: Path, say: Say) -> None:
    """Undo `set_demo_aside`; a person's own content stays beside as a copy."""
    demo = data_dir / DEMO
    if not demo.exists():
        return
    for name in _DEMO_CONTENT:
        here = data_dir / name
        if here.exists():
            here.rename(copy_name(here))
        if (demo / name).exists():
            shutil.move(demo / name, here)
    shutil.rmtree(demo)
    say("brought the demo's answers, help pages and golden phrases back")


def copy_name(path: Path) -> Path:
    """Return where the copy of a file goes."""
    return path.with_name(f"{path.name}.{time.strftime('%Y%m%dT%H%M%S')}.bak")


def write(plan: Plan, say: Say) -> None:
    """Copy what will be replaced, then write the planned files."""
    for path in plan.copies:
        copy = copy_name(path)
        shutil.copy2(path, copy)
        say(f"kept a copy of the earlier file: {copy}")
    for path, data in plan.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file in one step: readers see the old one or the new one; empty = no file."""
    if not data:
        path.unlink(missing_ok=True)
        return
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(data)
    draft.replace(path)
