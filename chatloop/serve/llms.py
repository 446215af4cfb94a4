"""Turns Settings into the language models that are asked, in the order of the settings.

Nothing is started here. What speaks HTTP is imported on use: the scripts that only read settings
need none of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from chatloop.core.llm_settings import NO_LLM, ModelSettings, Provider, is_near
from chatloop.core.settings import Settings
from chatloop.turn.answer.base import LanguageModel, LlmStatus

if TYPE_CHECKING:
    from chatloop.turn.answer.llm.limits import LlmLimits, ModelSpec

log = logging.getLogger(__name__)
READY = "ready"
_NEAR_PROBE_S, _FAR_PROBE_S = 1.0, 5.0


def make_models(settings: Settings) -> tuple[LanguageModel, ...]:
    """Return the language models, not started yet; none when none is to be asked.

    Raises SettingsError when an address is none.
    """
    if settings.llm == NO_LLM:
        return ()
    if not settings.models:
        only = ModelSettings.model_construct(name=settings.llm)
        return (_make(only, settings, is_named=False),)
    return tuple(_make(model, settings) for model in settings.used_models)


async def start_models(models: Iterable[LanguageModel]) -> None:
    """Start all at once, so that one that is away makes no other wait."""
    await asyncio.gather(*(model.start() for model in models))
    for model in models:
        if model.remote:
            log.warning("model %s: what it is asked leaves this machine", model.name)


async def close_models(models: Iterable[LanguageModel]) -> None:
    """Close all."""
    await asyncio.gather(*(model.aclose() for model in models))


def best_of(statuses: Sequence[LlmStatus]) -> LlmStatus | None:
    """Return the first that can be asked, else the first; None without any."""
    return next((s for s in statuses if s.state == READY), statuses[0] if statuses else None)


def _make(model: ModelSettings, settings: Settings, *, is_named: bool = True) -> LanguageModel:
    from chatloop.turn.answer.llm.ollama import Ollama
    from chatloop.turn.answer.llm.openai_compatible import OpenAiCompatible

    spec = _spec(model, settings, is_named=is_named)
    return OpenAiCompatible(spec) if model.provider is Provider.OPENAI else Ollama(spec)


def _spec(model: ModelSettings, settings: Settings, *, is_named: bool) -> ModelSpec:
    from chatloop.turn.answer.llm.limits import ModelSpec

    address = model.address or settings.ollama_api_url
    return ModelSpec(
        address=address,
        model=model.model or model.name,
        name=model.name if is_named else None,
        key=model.key.get_secret_value() if model.key else None,
        key_env=model.key_env,
        context_tokens=model.context_tokens,
        price_in=model.price_in,
        price_out=model.price_out,
        allow_cloud=settings.llm_allow_cloud,
        preload=settings.llm_preload,
        limits=_limits(model, settings, address),
    )


def _limits(model: ModelSettings, settings: Settings, address: str) -> LlmLimits:
    from chatloop.turn.answer.llm.limits import LlmLimits

    is_far_api = model.provider is Provider.OPENAI and not is_near(address)
    return LlmLimits(
        connect_timeout_s=model.connect_timeout_s or settings.connect_limit_for(address),
        first_token_timeout_s=model.first_token_timeout_s or settings.first_token_timeout_s,
        load_timeout_s=model.load_timeout_s or settings.load_timeout_s,
        gap_timeout_s=model.gap_timeout_s or settings.gap_timeout_s,
        total_timeout_s=model.total_timeout_s or settings.total_timeout_s,
        probe_interval_s=settings.llm_probe_interval_s,
        probe_timeout_s=_FAR_PROBE_S if is_far_api else _NEAR_PROBE_S,
        in_flight=model.in_flight or settings.llm_in_flight,
        waiting=settings.llm_waiting,
        wait_timeout_s=settings.llm_wait_timeout_s,
    )
