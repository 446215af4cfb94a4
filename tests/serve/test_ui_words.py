"""What the UI says: badges, sources, states, verdicts, numbers."""

from __future__ import annotations

from typing import Any

import pytest

from chatloop.core.errors import BackendFault
from chatloop.core.types import Reason
from chatloop.serve.ui import words
from tests.serve import scripted_api
from tests.serve.scripted_api import done, from_help_page, from_llm, handed_over


def same(url: str) -> str:
    return url


class TestWords:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (done("Hi"), "answered locally · approved answer"),
            (from_llm("Hi"), "language model llama3.2"),
            (from_help_page("Hi"), "help page – the language model is away"),
            (
                done("Hi", degraded=True, degraded_reason="llm_timeout", chosen_model="fallback"),
                "approved answer – the language model took too long",
            ),
            (done("No", route={"answered_by": "refusal"}), "declined"),
            (
                from_llm("Hi") | {"degraded": True, "degraded_reason": "llm_timeout"},
                "language model llama3.2 – the one asked first took too long",
            ),
            (
                from_llm("Hi")
                | {"degraded": True, "degraded_reason": "llm_interrupted", "interrupted": True},
                "language model llama3.2 – it was interrupted",
            ),
        ],
    )
    def test_the_badge_says_who_answered(self, body: dict[str, Any], expected: str) -> None:
        assert words.who_answered(body) == expected

    def test_the_badge_has_intent_confidence_and_latency(self) -> None:
        badge = words.badge(done("Hi"))
        assert all(text in badge for text in ("reset password", "98 %", "0.8 ms"))

    def test_the_badge_says_when_no_intent_fits(self) -> None:
        assert "out of scope" in words.badge(from_help_page("Hi"))
        assert "out of scope" not in words.badge(done("Hi"))

    def test_the_badge_says_what_was_masked_and_cut(self) -> None:
        badge = words.badge(done("Hi", guard={"pii": ["email_address"]}, interrupted=True))
        assert "masked: email address" in badge
        assert "interrupted" in badge

    @pytest.mark.parametrize("fault", BackendFault)
    def test_every_fault_of_a_language_model_has_plain_words(self, fault: BackendFault) -> None:
        assert fault in words._LLM_TROUBLE

    @pytest.mark.parametrize(
        ("changes", "chip"),
        [
            ({"remote": True}, "left this machine"),
            ({"supported": False}, "no help page covers this"),
            ({"prompt_cut": True}, "shortened"),
        ],
    )
    def test_the_badge_says_what_speaks_against_a_reply(
        self, changes: dict[str, Any], chip: str
    ) -> None:
        assert chip in words.badge(from_llm("Hi") | changes)
        assert chip not in words.badge(from_llm("Hi"))

    def test_pages_that_do_not_hold_the_answer_are_called_the_nearest(self) -> None:
        assert "Help pages: <a" in words.reply(done("Hi"), same)
        assert "Nearest help pages: <a" in words.reply(done("Hi", supported=False), same)

    @pytest.mark.parametrize(
        "reason", [Reason.ASKED_FOR_PERSON, Reason.REPEATED_FAILURE, Reason.POLICY]
    )
    def test_a_hand_over_is_a_card_with_its_ticket_and_reason(self, reason: Reason) -> None:
        shown = words.reply(handed_over("Bye", reason), same)
        assert "A person takes it from here." in shown
        assert "Ticket T-7K3M9P" in shown
        assert words._WHY_PERSON[reason] in shown

    def test_a_hand_over_without_a_ticket_promises_nobody(self) -> None:
        body = done("Write to us.", hand_over={"reason": "policy", "ticket": None})
        shown = words.reply(body, same)
        assert "one for a person" in shown
        assert "takes it from here" not in shown

    def test_a_stopped_reply_keeps_its_words(self) -> None:
        assert words.stopped("Open Settings").startswith("Open Settings\n")
        assert ">stopped<" in words.stopped("")

    def test_a_reply_brings_neither_html_nor_images(self) -> None:
        text = "<script>x</script> <img src=http://e.example/a> ![a](http://e.example/b) &lt;"
        shown = words.safe_markdown(text)
        assert "<" not in shown
        assert "![" not in shown
        assert "&amp;lt;" in shown

    def test_code_is_shown_as_it_was_written(self) -> None:
        text = "Use `a < b` and\n```\nif a < b && c:\n```"
        assert words.safe_markdown(text) == text

    def test_sources_are_links_and_escaped(self) -> None:
        source = {"title": "<b>", "heading": "", "url": '/manual/"x'}
        shown = words.reply(done("Hi", sources=[source, source]), same)
        assert shown.count("<a ") == 1
        assert 'href="/manual/&quot;x"' in shown
        assert "&lt;b&gt;" in shown

    def test_a_source_is_named_by_title_and_heading(self) -> None:
        shown = words.reply(done("Hi"), same)
        assert '<a href="/help/reset-password#ask"' in shown
        assert ">Reset your password: Ask for a link</a>" in shown

    def test_a_source_without_an_address_leads_to_the_manual(self) -> None:
        shown = words.reply(done("Hi", sources=[{"title": "Plans"}]), same)
        assert 'href="/manual"' in shown

    def test_a_link_that_runs_code_is_left_out(self) -> None:
        shown = words.reply(done("Hi", sources=[{"title": "x", "url": "javascript:1"}]), same)
        assert "javascript" not in shown

    @pytest.mark.parametrize(
        ("llm", "expected"),
        [
            (scripted_api.LLM_READY, "llama3.2 is ready"),
            (scripted_api.LLM_AWAY, "is away: Start it with <code>ollama serve</code>"),
            ({"state": "off"}, "No language model in use"),
            ({"state": "loading", "model": "m"}, "m is loading"),
            ({"state": "something new"}, "is away"),
            ({"state": "no_key", "model": "m"}, "m lacks its key"),
            ({"state": "ready", "model": "m", "remote": True}, "messages leave this one"),
        ],
    )
    def test_the_status_line_names_the_model_or_the_way_out(
        self, llm: dict[str, Any], expected: str
    ) -> None:
        assert expected in words.status_line({"llm": llm})

    def test_numbers_without_a_value_are_a_dash(self) -> None:
        shown = {f(None) for f in (words.percent, words.duration, words.count, words.moment)}
        assert shown == {"–"}

    @pytest.mark.parametrize(
        ("milliseconds", "expected"), [(0.84, "0.8 ms"), (12.3, "12 ms"), (1834, "1.8 s")]
    )
    def test_durations_have_the_unit_that_suits_them(
        self, milliseconds: float, expected: str
    ) -> None:
        assert words.duration(milliseconds) == expected


class TestModelsAndNumbers:
    def test_the_verdict_shows_every_check(self) -> None:
        from chatloop.serve.ui.models import job_state

        checks = [
            {"name": "accuracy", "passed": True, "detail": "0.95 against 0.94"},
            {"name": "golden_phrases", "passed": False, "detail": "<3 broken>"},
        ]
        result = {"message": "release b was refused", "gate": {"checks": checks}}
        shown = job_state({"state": "done", "result": result})
        assert "Release b was refused" in shown
        assert 'aria-label="passed"' in shown
        assert 'aria-label="failed"' in shown
        assert "&lt;3 broken&gt;" in shown

    def test_a_failed_job_says_why(self) -> None:
        from chatloop.serve.ui.models import job_state

        assert "out of memory" in job_state({"state": "failed", "message": "out of memory"})

    def test_a_broken_release_is_marked(self) -> None:
        from chatloop.serve.ui.models import release_table

        assert ">broken<" in release_table({"models": [{"version": "v1", "state": "broken"}]})

    def test_no_release_says_what_to_type(self) -> None:
        from chatloop.serve.ui.models import release_table

        assert "train_model.py" in release_table({"models": []})

    def test_an_hour_without_turns_has_dashes_and_empty_plots(self) -> None:
        from chatloop.serve.ui.dashboard import by_name, over_time, tiles

        assert "Satisfaction" not in tiles({"turns": 0, "satisfaction": None})
        assert over_time([{"t": 1, "p95_ms": None}], {"p95_ms": "p95"}).empty
        assert by_name({}, "intent").empty

    def test_rare_intents_are_added_up(self) -> None:
        from chatloop.serve.ui.dashboard import by_name

        frame = by_name({f"intent_{i:02}": 100 - i for i in range(20)}, "intent")
        assert len(frame) == 13
        assert frame["turns"].sum() == sum(100 - i for i in range(20))
