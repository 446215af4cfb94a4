"""Choose the model to ask from what an Ollama server says it has. Pure: answers in, choice out.

Does no I/O. Kept apart so that every rule (names, embedding models, cloud models) is testable as
a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from chatloop.core.errors import BackendError, BackendFault

AUTO = "auto"
FIRST_MODEL = "llama3.2"
"""The model that a person without one is told to pull."""

EMBEDDING_FAMILIES = frozenset(
    {"bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "xlm-roberta"}
)
EMBEDDING_NAMES = ("embed", "bge-", "minilm", "bert")


class Choosing(StrEnum):
    """How choosing ended."""

    READY = "ready"
    NO_MODEL = "no_model"
    MODEL_MISSING = "model_missing"


class _Details(msgspec.Struct):
    family: str | None = None
    families: list[str] | None = None


class Model(msgspec.Struct):
    """One entry of /api/tags or /api/ps.

    `capabilities` is None on servers that do not tell. `context_length`: the real window in
    tokens, in /api/ps only.
    """

    name: str
    size: int = 0
    details: _Details | None = None
    capabilities: list[str] | None = None
    remote_host: str | None = None
    context_length: int = 0

    @property
    def is_cloud(self) -> bool:
        """Whether it runs on somebody else's machine."""
        return bool(self.remote_host) or is_cloud_name(self.name)

    @property
    def can_chat(self) -> bool:
        """Whether it writes text: by its capabilities, else by family and name."""
        if self.capabilities:
            return "completion" in self.capabilities
        details = self.details or _Details()
        families = {details.family or "", *(details.families or ())}
        named = any(part in self.name.casefold() for part in EMBEDDING_NAMES)
        return not named and not families & EMBEDDING_FAMILIES


class _Models(msgspec.Struct):
    models: list[Model] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The model to ask, or why there is none and what to type. `installed`: what can be named."""

    state: Choosing
    model: Model | None = None
    listed: bool = False
    detail: str = ""
    hint: str = ""
    installed: tuple[str, ...] = ()


def parse_models(body: bytes) -> tuple[Model, ...]:
    """Read the body of /api/tags or /api/ps. Raises BackendError BAD_REPLY."""
    try:
        return tuple(msgspec.json.decode(body, type=_Models).models or ())
    except (ValueError, RecursionError) as error:
        raise BackendError(
            BackendFault.BAD_REPLY, "the list of models is not Ollama's JSON; is it Ollama?"
        ) from error


def canonical(name: str) -> str:
    """Spell a model name as Ollama compares it: with its tag (default `latest`), casefolded."""
    name = name.strip().casefold()
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def is_cloud_name(name: str) -> bool:
    """Whether the tag is `cloud` or ends in `-cloud`: Ollama forwards those to ollama.com."""
    tag = canonical(name).rpartition(":")[2]
    return tag == "cloud" or tag.endswith("-cloud")


def choose(
    installed: tuple[Model, ...],
    running: tuple[Model, ...],
    *,
    wanted: str = AUTO,
    allow_cloud: bool = False,
) -> Choice:
    """Choose the wanted model, or with `auto` one that can chat: a running one, then the smallest.

    `installed` and `running` are the answers of /api/tags and /api/ps.
    """
    names = tuple(model.name for model in installed)
    listed = {canonical(model.name) for model in running}
    usable = [m for m in installed if allow_cloud or not m.is_cloud]
    if wanted == AUTO:
        usable = [m for m in usable if m.can_chat]
    else:
        usable = [m for m in usable if canonical(m.name) == canonical(wanted)]
    if not usable:
        return _nothing(wanted, names, allow_cloud=allow_cloud)

    def preference(model: Model) -> tuple[bool, int, str]:
        return (canonical(model.name) not in listed, model.size, model.name)

    best = min(usable, key=preference)
    is_listed = best.is_cloud or canonical(best.name) in listed
    return Choice(state=Choosing.READY, model=best, listed=is_listed, installed=names)


def _nothing(wanted: str, installed: tuple[str, ...], *, allow_cloud: bool) -> Choice:
    if wanted == AUTO:
        return Choice(
            state=Choosing.NO_MODEL,
            detail="Ollama runs but has no model that can chat",
            hint=f"ollama pull {FIRST_MODEL}",
            installed=installed,
        )
    forbidden = not allow_cloud and (
        is_cloud_name(wanted) or canonical(wanted) in map(canonical, installed)
    )
    return Choice(
        state=Choosing.MODEL_MISSING,
        detail=f"{wanted} runs on somebody else's machine, which is not allowed"
        if forbidden
        else f"Ollama runs but does not have the model {wanted}",
        hint="set CHATLOOP_LLM_ALLOW_CLOUD=true, or name a model of this machine"
        if forbidden
        else f"ollama pull {wanted}",
        installed=installed,
    )
