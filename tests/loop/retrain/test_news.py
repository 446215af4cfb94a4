from __future__ import annotations

from dataclasses import replace

from chatloop.core.settings import load_settings
from chatloop.loop.retrain.cycle import _is_news
from chatloop.turn.answer.hints import HINTS
from tests.fakes import current_release, tiny_training


def test_the_same_rows_and_texts_are_no_news(tiny_home, clean_environment):
    release = current_release(tiny_home)
    assert not _is_news(load_settings(home=tiny_home), tiny_training(), release)


def test_a_text_that_an_earlier_release_lacks_is_news(tiny_home, clean_environment):
    release = current_release(tiny_home)
    earlier = replace(
        release, digests={name: d for name, d in release.digests.items() if name != HINTS}
    )
    assert _is_news(load_settings(home=tiny_home), tiny_training(), earlier)


def test_a_changed_hint_is_news(tiny_home, clean_environment):
    file = tiny_home / "data" / "hints.yaml"
    file.write_text(file.read_text("utf-8").replace("concise", "brief"), "utf-8")
    assert _is_news(load_settings(home=tiny_home), tiny_training(), current_release(tiny_home))
