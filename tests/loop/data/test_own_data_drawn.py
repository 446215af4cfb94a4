"""Which rows become golden phrases, and which out-of-scope messages are lent."""

from __future__ import annotations

from chatloop.core.types import OOS
from chatloop.loop.data.golden import draw_golden
from chatloop.loop.data.out_of_scope import lend_out_of_scope
from chatloop.loop.data.rows import Part, Row
from chatloop.loop.data.seed import Seed


def test_long_marked_and_rare_rows_are_never_golden():
    texts = ["call [PHONE_1]", "x" * 61, "two\nlines", "abcd"]
    rows = [Row(t, "aa", "import", t, Part.TEST) for t in texts]
    rows += [Row(f"row {n}", "aa", "import", str(n), Part.FIT) for n in range(20)]
    rows += [Row("rare one", "bb", "import", "r", Part.TEST)]
    assert draw_golden(rows) == b""
    good = Row("row 21", "aa", "import", "g", Part.CALIBRATE)
    assert b"row 21,aa" in draw_golden([*rows, good])


def test_nothing_is_lent_to_rows_that_have_their_own_and_no_trade_is_judged():
    seeds = [
        Seed(
            OOS,
            "",
            "",
            "",
            {"small_talk": ("tell a joke",), "near_miss_trades": ("my flight",)},
            (),
        )
    ]
    rows = [Row("x", "aa", "import", "f", Part.FIT)]
    assert [row.text for row in lend_out_of_scope(rows, seeds, 7)] == ["tell a joke"]
    assert lend_out_of_scope([*rows, Row("y", OOS, "import", "g", Part.FIT)], seeds, 7) == []
    family = lend_out_of_scope(rows, seeds, 7)[0].family
    assert (
        lend_out_of_scope([Row("a joke, tell", "aa", "import", family, Part.FIT)], seeds, 7) == []
    )


def test_the_clearest_two_phrases_of_an_intent_are_drawn():
    rows = [Row(f"reset password {n}", "aa", "import", f"a{n}", Part.FIT) for n in range(20)]
    rows += [Row(f"send invoice {n}", "bb", "import", f"b{n}", Part.FIT) for n in range(20)]
    texts = ("send password", "reset password", "my password reset")
    rows += [Row(text, "aa", "import", text, Part.TEST) for text in texts]
    drawn = draw_golden(rows).decode()
    assert "send password" not in drawn
    assert drawn == draw_golden(reversed(rows)).decode()
    assert drawn.count(",aa,") == 2
