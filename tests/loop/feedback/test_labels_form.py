from __future__ import annotations

import pytest

from chatloop.loop.data.seed import load_seeds
from chatloop.loop.feedback.labels_form import LabelVerdict, check_label

KNOWN = {seed.intent for seed in load_seeds()}


@pytest.mark.parametrize(
    ("label", "match"),
    [
        ("Reset_Password", "reset_password"),
        ("RESET_PASSWORD", "reset_password"),
        ("reset-password", "reset_password"),
        ("reset password", "reset_password"),
        ("resetpassword", "reset_password"),
        (" reset_password", "reset_password"),
        ("reset_password\n", "reset_password"),
        ("r\u0435set_p\u0430ssword", "reset_password"),  # Cyrillic
        ("res\u03b5t_passw\u03bfrd", "reset_password"),  # Greek
        ("ｒｅｓｅｔ＿ｐａｓｓｗｏｒｄ", "reset_password"),
        ("réset_password", "reset_password"),
        ("reset\u200b_password", "reset_password"),
        ("l0g1n_problem", "login_problem"),
        ("reset_pasword", "reset_password"),
        ("get_invoices", "get_invoice"),
    ],
)
def test_a_look_alike_is_refused_with_the_match(label, match):
    check = check_label(label, KNOWN)
    assert (check.verdict, check.match) == (LabelVerdict.LOOK_ALIKE, match)
    assert check.refused
    assert match in check.message
    assert label not in check.message.replace(match, "")


@pytest.mark.parametrize(
    "label",
    ["", "x", "2fa", "_gift", "gift cards", "Gift_Cards", "gift_cards\n", "a" * 42, "=gift"],
)
def test_a_malformed_label_is_refused(label):
    check = check_label(label, KNOWN)
    assert check.verdict is LabelVerdict.MALFORMED
    assert "reset_password" in check.message


def test_a_label_of_ten_thousand_characters_is_refused_without_being_compared():
    assert check_label("reset_password" * 1000, KNOWN).verdict is LabelVerdict.MALFORMED


@pytest.mark.parametrize("label", ["gift_cards", "ab", "a" * 41, "dark_mode2"])
def test_a_new_well_formed_label_is_a_proposed_intent(label):
    check = check_label(label, KNOWN)
    assert check.verdict is LabelVerdict.NEW
    assert not check.refused
    assert check.message == ""


def test_no_shipped_label_is_a_look_alike_of_another():
    for label in KNOWN:
        assert check_label(label, KNOWN).verdict is LabelVerdict.KNOWN
        assert check_label(label, KNOWN - {label}).verdict is LabelVerdict.NEW, label
