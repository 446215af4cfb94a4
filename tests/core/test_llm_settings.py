from __future__ import annotations

import re
from pathlib import Path

import pytest

from chatloop.core.errors import SettingsError
from chatloop.core.llm_settings import ModelSettings, is_near, openai_base
from chatloop.core.settings import Settings, load_settings

pytestmark = pytest.mark.usefixtures("clean_environment")
REPO = Path(__file__).parents[2]
REMOTE = 'provider = "openai"\naddress = "https://api.example.com"\n'


def write(*tables: str, head: str = "") -> None:
    Path("config.toml").write_text(head + "".join(f"[[models]]\n{table}\n" for table in tables))


def refused(*tables: str, head: str = "") -> str:
    write(*tables, head=head)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_tables_there_are_none():
    assert load_settings().models == ()


def test_a_name_is_enough_for_ollama():
    write('name = "qwen3"')
    (model,) = load_settings().models
    assert (model.provider, model.model, model.address, model.key) == ("ollama", None, None, None)


def test_tables_keep_their_order_and_values():
    write(
        'name = "a"\nstrengths = ["short", "refund_request"]\nin_flight = 4',
        f'name = "b"\n{REMOTE}',
    )
    first, second = load_settings().used_models
    assert (first.name, first.strengths, first.in_flight) == ("a", ("short", "refund_request"), 4)
    assert (second.name, second.address) == ("b", "https://api.example.com/v1")


def test_llm_chooses_one_of_them_or_none():
    write('name = "a"', 'name = "b"', head='llm = "b"\n')
    assert [m.name for m in load_settings().used_models] == ["b"]
    assert load_settings(llm="none").used_models == ()


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        (
            ['name = "a"', 'name = "b"\naddres = "x"'],
            r"models\[1\]\.addres.*did you mean `address`",
        ),
        (['name = "a"\nkey = "sk-canary"'], r"models\[0\]\.key: .*did you mean"),
        (['provider = "ollama"'], r"models\[0\]\.name: "),
        (['name = "a"\nprovider = "azure"'], r"models\[0\]\.provider: .*'openai'"),
        (['name = "a b"'], r"models\[0\]\.name: "),
        (['name = "a"\nprice_in = -1'], r"models\[0\]\.price_in: "),
        (['name = "a"\nprice_out = inf'], r"models\[0\]\.price_out: "),
        (['name = "a"\ncontext_tokens = 1'], r"models\[0\]\.context_tokens: "),
        (['name = "a"\ngap_timeout_s = 0'], r"models\[0\]\.gap_timeout_s: "),
        (['name = "a"\nprovider = "openai"'], r"models\[0\]: `address` is missing"),
        ([f'name = "auto"\n{REMOTE}'], r"models\[0\]: `model` is missing"),
        (['name = "a"\nkey_env = "K"'], r"models\[0\]: `key_env` is for"),
        ([f'name = "a"\nkey_env = "sk-canary"\n{REMOTE}'], r"models\[0\]\.key_env: "),
        (['name = "a"', 'name = "a"'], "the name `a` is there twice"),
        (['name = "a"\naddress = 5'], r"models\[0\]\.address: "),
    ],
)
def test_what_is_wrong_is_told_with_its_table_and_key(tables, told):
    line = refused(*tables)
    assert re.search(told, line), line
    assert "sk-canary" not in line


@pytest.mark.parametrize(
    "address",
    ["ftp://x", "x", "http://", "http://h:99999", "http://h/?key=canary", "http://me:canary@h/v1"],
)
def test_what_is_no_address_is_refused_without_repeating_it(address):
    line = refused(f'name = "a"\nprovider = "openai"\naddress = "{address}"')
    assert "models[0]: `address`" in line
    assert "canary" not in line


def test_one_table_in_place_of_a_list_is_refused():
    Path("config.toml").write_text('[models]\nname = "a"\n')
    with pytest.raises(SettingsError, match="wrong setting: models"):
        load_settings()


def test_llm_must_name_one_of_the_tables():
    assert "it may be auto, none, a, b" in refused('name = "a"', 'name = "b"', head='llm = "c"\n')


def test_the_environment_replaces_the_tables(monkeypatch):
    write('name = "a"')
    monkeypatch.setenv("CHATLOOP_MODELS", '[{"name": "b"}]')
    assert [m.name for m in load_settings().models] == ["b"]
    monkeypatch.setenv("CHATLOOP_MODELS", "b")
    with pytest.raises(SettingsError, match="CHATLOOP_MODELS: no JSON"):
        load_settings()


# The key


def test_the_key_comes_from_its_variable_and_is_never_shown(monkeypatch):
    monkeypatch.setenv("MY_KEY", " sk-canary\n")
    write(f'name = "a"\nkey_env = "MY_KEY"\n{REMOTE}')
    settings = load_settings()
    (model,) = settings.models
    assert model.key.get_secret_value() == "sk-canary"
    shown = (repr(settings), str(settings.model_dump()), settings.revealed(), repr(model))
    assert "canary" not in "".join(shown)
    assert Settings.model_validate_json(settings.revealed()).models[0].key is not None


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_absent_key_is_no_error_of_the_settings(monkeypatch, value):
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    write(f'name = "a"\nkey_env = "MY_KEY"\n{REMOTE}')
    assert load_settings().models[0].key is None


def test_a_key_that_no_header_can_carry_is_refused_by_its_variable(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-canary\r\nX-Evil: 1")
    line = refused(f'name = "a"\nkey_env = "MY_KEY"\n{REMOTE}')
    assert "MY_KEY" in line
    assert "canary" not in line


# Addresses


@pytest.mark.parametrize(
    ("pasted", "base"),
    [
        ("https://api.openai.com", "https://api.openai.com/v1"),
        (" http://127.0.0.1:8001/v1/ ", "http://127.0.0.1:8001/v1"),
        ("https://h/v1/chat/completions", "https://h/v1"),
        ("https://gateway/openai/v1", "https://gateway/openai/v1"),
        ("https://h/api/paas/v4", "https://h/api/paas/v4"),
    ],
)
def test_what_people_paste_becomes_the_base_address(pasted, base):
    assert openai_base(pasted) == base
    assert openai_base(base) == base


@pytest.mark.parametrize(
    ("address", "near"),
    [("http://127.0.0.2:1", True), ("http://[::1]:1/v1", True), ("http://a.localhost", True),
     ("http://10.0.0.5", False), ("https://127.0.0.1.example.com", False)],
)  # fmt: skip
def test_only_this_machine_is_near(address, near):
    assert is_near(address) is near


def test_the_manual_lists_every_key_of_a_table():
    page = (REPO / "docs" / "reference" / "language-models.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", page, re.MULTILINE)
    fields = ModelSettings.model_fields
    shown = {
        n: "required" if f.is_required() else "unset" if f.default is None else str(f.default)
        for n, f in fields.items()
    }
    assert listed[: len(fields)] == list(shown.items())


@pytest.mark.parametrize("page", ["add-a-second-model", "use-a-remote-model"])
def test_the_tables_of_the_manual_are_settings(page):
    text = (REPO / "docs" / "how-to" / f"{page}.md").read_text("utf-8")
    snippets = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert snippets
    for snippet in snippets:
        Path("config.toml").write_text(snippet)
        assert load_settings().used_models
