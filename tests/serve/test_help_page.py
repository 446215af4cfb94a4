from __future__ import annotations

from chatloop.serve.api.pages import _section
from chatloop.turn.answer.content import HelpPassage


def test_a_section_that_was_cut_is_shown_whole_under_one_heading():
    parts = [HelpPassage("p", "T", "Long & wide", "long-wide", text) for text in ("One.", "Two.")]
    assert _section("Long & wide", "long-wide", parts) == (
        '<section id="long-wide"><h2>Long &amp; wide</h2><p>One.</p>\n<p>Two.</p></section>'
    )
