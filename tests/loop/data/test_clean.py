from __future__ import annotations

from chatloop.loop.data.clean import RawRow, clean
from chatloop.loop.data.rows import Part


def raw(*rows: tuple[str, str] | tuple[str, str, Part]) -> list[RawRow]:
    return [
        RawRow(number, row[0], row[1], row[2] if len(row) > 2 else None)
        for number, row in enumerate(rows, start=2)
    ]


def test_rows_are_normalised_and_redacted_like_live_messages():
    rows, report = clean(raw(("  caf\u0065\u0301\r\nann@example.com ", "aa")), seed=7)
    assert rows[0].text == "café\n[EMAIL_1]"
    assert rows[0].source == "import"
    assert report.redacted == {"email": 1}


def test_empties_and_duplicates_are_counted():
    rows, report = clean(raw(("hi", "aa"), (" ", "aa"), ("HI", "aa"), ("\x00", "bb")), seed=7)
    assert [row.text for row in rows] == ["hi"]
    assert (report.read, report.kept, report.empty, report.duplicates) == (4, 1, [3, 5], 1)


def test_a_text_with_two_labels_is_set_aside_whole_and_named():
    rows, report = clean(raw(("Hi", "aa"), ("hi", "bb"), ("hi", "aa"), ("bye", "cc")), seed=7)
    assert [row.text for row in rows] == ["bye"]
    assert report.conflicts == {"hi": {"aa": [2, 4], "bb": [3]}}
    assert report.duplicates == 0


def test_texts_that_redaction_makes_equal_are_seen_as_equal():
    rows, report = clean(raw(("mail a@b.com", "aa"), ("mail c@d.com", "bb")), seed=7)
    assert not rows
    assert list(report.conflicts) == ["mail [email_1]"]


def test_a_split_that_came_along_is_kept():
    given = [("one", "aa", Part.TEST), ("two", "bb", Part.CALIBRATE), ("three", "cc", Part.FIT)]
    rows, _ = clean(raw(*given), seed=7)
    assert [row.split for row in rows] == [Part.TEST, Part.CALIBRATE, Part.FIT]


def test_without_a_split_no_two_parts_share_a_family():
    texts = [f"{verb} {thing} {n}" for verb in ("see", "get") for thing in "bc" for n in range(20)]
    variants = [t for text in texts for t in (text, f"please {text}!", f"hey {text}")]
    rows, report = clean(raw(*((text, "aa") for text in variants)), seed=7)
    parts: dict[str, set[str]] = {}
    for row in rows:
        parts.setdefault(row.family, set()).add(row.split)
    assert all(len(found) == 1 for found in parts.values())
    assert len(set.union(*parts.values())) == 3
    held = [row.family for row in rows if row.split != Part.FIT]
    assert len(held) == len(set(held))
    assert report.thinned == len(variants) - len(rows) > 0


def test_nothing_gives_nothing():
    rows, report = clean([], seed=7)
    assert (rows, report.read, report.kept) == ([], 0, 0)
