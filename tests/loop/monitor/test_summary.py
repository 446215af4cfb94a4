"""The summary has a row per intent and model, and its total is the log."""

from __future__ import annotations

import csv

import pytest

from chatloop.core.errors import DataError
from chatloop.core.logfile import rotate
from chatloop.loop.monitor.summary import summary, table, write_csv

from .records import line, record


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "chat.log"
    path.write_bytes(
        b"\n".join([line(record(latency_ms=10.0)), line(record(latency_ms=30.0)), b""])
    )
    rotate(path)
    records = [
        record(chosen_model="llm/tiny", confidence=0.3, degraded=True, anomaly=True),
        record(intent=None, chosen_model=None, error="ValueError", pii_prompt=("email",)),
    ]
    path.write_bytes(
        b"\n".join([*map(line, records), b"", b"torn", line(record(schema_version=9))])
    )
    return path


def test_rows_cover_rotated_files_and_sum_to_the_total(log):
    result = summary(log)
    keys = [(row.intent, row.chosen_model, row.turns, row.share) for row in result.rows]
    assert keys == [
        ("refund", "local", 2, 0.5),
        ("none", "none", 1, 0.25),
        ("refund", "llm/tiny", 1, 0.25),
        ("total", "", 4, 1.0),
    ]
    assert result.rows[0].mean_latency_ms == 20.0
    assert result.rows[2].mean_confidence == 0.3
    total = result.rows[-1]
    assert (total.degraded, total.anomalies, total.pii, total.errors) == (1, 1, 1, 1)


def test_an_unfinished_line_is_left_for_the_next_time(log):
    assert summary(log).skipped == 1  # the torn one; the last one has no end yet
    with log.open("ab") as file:
        file.write(b"\n")
    assert summary(log).skipped == 2


def test_a_log_without_turns_has_a_total_of_none(tmp_path):
    path = tmp_path / "chat.log"
    path.touch()
    [total] = summary(path).rows
    assert (total.turns, total.share, total.mean_latency_ms) == (0, 0.0, None)


def test_a_missing_log_says_what_to_type(tmp_path):
    with pytest.raises(DataError, match="make run"):
        summary(tmp_path / "chat.log")


def test_the_csv_file_reads_back(log, tmp_path):
    out = tmp_path / "new" / "chat_summary.csv"
    write_csv(summary(log).rows, out)
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["turns"] for row in rows] == ["2", "1", "1", "4"]
    assert rows[0]["share"] == "0.5"
    assert list(rows[0])[:3] == ["intent", "chosen_model", "turns"]


def test_f5_no_cell_is_a_formula(tmp_path):
    path = tmp_path / "chat.log"
    path.write_bytes(line(record(intent="=1+1", chosen_model="@x")) + b"\n")
    write_csv(summary(path).rows, tmp_path / "out.csv")
    row = (tmp_path / "out.csv").read_text().splitlines()[1]
    assert row.startswith("'=1+1,'@x,")


def test_an_unwritable_place_says_what_to_type(log, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="--out"):
        write_csv(summary(log).rows, tmp_path / "file" / "out.csv")


def test_the_table_is_aligned(log):
    lines = table(summary(log).rows).splitlines()
    assert len(lines) == 5
    ends = {text.rstrip().rfind(text.split()[-1]) for text in lines[1:]}
    assert len(ends) == 1
