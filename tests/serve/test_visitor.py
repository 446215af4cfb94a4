"""The signed visitor: nobody inherits the rights of the machine that the UI runs on."""

from __future__ import annotations

import pytest

from chatloop.serve.visitor import (
    SIGNATURE_HEADER,
    VISITOR_HEADER,
    Visitor,
    read,
    sign,
    through_proxy,
)

SECRET = b"a secret of the tests"
NOW = 1_800_000_000.0


@pytest.mark.parametrize("address", ["127.0.0.1", "203.0.113.9", "::1", "fe80::1%eth0"])
@pytest.mark.parametrize("proxied", [True, False])
def test_a_signed_visitor_is_read_back(address: str, proxied: bool) -> None:
    headers = sign(SECRET, address, proxied, NOW)
    assert read(SECRET, headers, NOW + 1) == Visitor(address, proxied)


def test_header_names_are_read_in_any_case() -> None:
    headers = {name.lower(): value for name, value in sign(SECRET, "::1", False, NOW).items()}
    assert read(SECRET, headers, NOW) == Visitor("::1", False)


def test_the_value_has_the_agreed_form() -> None:
    assert sign(SECRET, "10.0.0.7", True, NOW + 0.9)[VISITOR_HEADER] == "10.0.0.7|1|1800000000"


def test_another_address_under_the_same_signature_is_refused() -> None:
    headers = sign(SECRET, "203.0.113.9", True, NOW)
    forged = {**headers, VISITOR_HEADER: headers[VISITOR_HEADER].replace("203.0.113.9", "::1")}
    assert read(SECRET, forged, NOW) is None


def test_a_proxy_flag_cannot_be_cleared() -> None:
    headers = sign(SECRET, "127.0.0.1", True, NOW)
    forged = {**headers, VISITOR_HEADER: headers[VISITOR_HEADER].replace("|1|", "|0|")}
    assert read(SECRET, forged, NOW) is None


def test_another_secret_is_refused() -> None:
    assert read(b"another secret", sign(SECRET, "::1", False, NOW), NOW) is None


@pytest.mark.parametrize("shift_s", [-61, 61])
def test_an_old_or_future_signature_is_refused(shift_s: float) -> None:
    assert read(SECRET, sign(SECRET, "::1", False, NOW), NOW + shift_s) is None


@pytest.mark.parametrize("shift_s", [-60, 60])
def test_a_signature_within_its_age_counts(shift_s: float) -> None:
    assert read(SECRET, sign(SECRET, "::1", False, NOW), NOW + shift_s) is not None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {VISITOR_HEADER: "127.0.0.1|0|1800000000"},
        {VISITOR_HEADER: "127.0.0.1|0|1800000000", SIGNATURE_HEADER: ""},
        {VISITOR_HEADER: "127.0.0.1|0|1800000000", SIGNATURE_HEADER: "é" * 64},
        {SIGNATURE_HEADER: "0" * 64},
    ],
)
def test_absent_or_broken_headers_are_nobody(headers: dict[str, str]) -> None:
    assert read(SECRET, headers, NOW) is None


@pytest.mark.parametrize("address", ["", "::1|0|9999999999"])
def test_a_signed_but_malformed_value_is_nobody(address: str) -> None:
    assert read(SECRET, sign(SECRET, address, False, NOW), NOW) is None


@pytest.mark.parametrize("name", ["X-Forwarded-For", "forwarded", "Via", "x-real-ip"])
def test_each_proxy_header_is_seen(name: str) -> None:
    assert through_proxy(["Host", name])


def test_plain_headers_are_no_proxy() -> None:
    assert not through_proxy(["Host", "Accept", "X-Forwarded-Proto"])
