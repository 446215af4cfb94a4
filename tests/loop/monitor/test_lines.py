"""A line is a record or the reason why it is none."""

from __future__ import annotations

import pytest

from chatloop.loop.monitor.lines import Skipped, read_line

from .records import line, record


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" "])
@pytest.mark.parametrize("after", [b"", b"\r", b"\r\n"])
def test_byte_order_marks_and_line_ends_do_not_matter(before, after):
    assert read_line(before + line(record()) + after) == record()


def test_unknown_fields_are_passed_over():
    assert read_line(line(record())[:-1] + b',"later":[1]}') == record()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Skipped.EMPTY),
        (b"\r", Skipped.EMPTY),
        (b"\xef\xbb\xbf", Skipped.EMPTY),
        (line(record())[:-9], Skipped.UNREADABLE),
        (b"[1]", Skipped.UNREADABLE),
        (b"\xff\xfe", Skipped.UNREADABLE),
        (b'{"schema_version":1}', Skipped.UNREADABLE),
        (b"[" * 500_000, Skipped.UNREADABLE),
        (b'{"schema_version":2}', Skipped.UNKNOWN_VERSION),
        (line(record(schema_version=99)), Skipped.UNKNOWN_VERSION),
    ],
)
def test_d10_everything_else_has_a_reason(raw, reason):
    assert read_line(raw) is reason
