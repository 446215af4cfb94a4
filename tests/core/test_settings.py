from __future__ import annotations

from pathlib import Path

import pytest

from chatloop.core.errors import SettingsError
from chatloop.core.llm_settings import ollama_root
from chatloop.core.settings import Settings, load_settings

pytestmark = pytest.mark.usefixtures("clean_environment")

LADDER = [  # setting, variable, value in the file, in the environment, as an argument
    ("port", "CHATLOOP_PORT", 8001, 8002, 8003),
    ("ab_prob", "CHATLOOP_AB_PROB", 0.1, 0.2, 0.3),
    ("llm", "CHATLOOP_LLM", "a", "b", "c"),
    ("ollama_api_url", "OLLAMA_API_URL", "http://a:1", "http://b:2", "http://c:3"),
    ("ollama_api_url", "OLLAMA_HOST", "http://a:1", "http://b:2", "http://c:3"),
]


def write_config(**values: object) -> None:
    Path("config.toml").write_text("".join(f"{k} = {v!r}\n" for k, v in values.items()))


def test_without_anything_the_defaults_count():
    settings = load_settings()
    assert (settings.port, settings.llm, settings.ab_prob) == (8000, "auto", 0.0)
    assert settings.ollama_api_url == "http://127.0.0.1:11434"
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize(("name", "_variable", "file", "_env", "_argument"), LADDER)
def test_the_file_wins_over_the_default(name, _variable, file, _env, _argument):
    write_config(**{name: file})
    assert getattr(load_settings(), name) == file


@pytest.mark.parametrize(("name", "variable", "file", "env", "_argument"), LADDER)
def test_the_environment_wins_over_the_file(monkeypatch, name, variable, file, env, _argument):
    write_config(**{name: file})
    monkeypatch.setenv(variable, str(env))
    assert getattr(load_settings(), name) == env


@pytest.mark.parametrize(("name", "variable", "file", "env", "argument"), LADDER)
def test_an_argument_wins_over_the_environment(monkeypatch, name, variable, file, env, argument):
    write_config(**{name: file})
    monkeypatch.setenv(variable, str(env))
    assert getattr(load_settings(**{name: argument}), name) == argument


@pytest.mark.parametrize(("name", "_variable", "file", "_env", "argument"), LADDER)
def test_an_argument_wins_over_the_file(name, _variable, file, _env, argument):
    write_config(**{name: file})
    assert getattr(load_settings(**{name: argument}), name) == argument


def test_the_database_address_obeys_the_same_order(monkeypatch):
    write_config(database_url="sqlite:///file")
    assert load_settings().store_url == "sqlite:///file"
    monkeypatch.setenv("DATABASE_URL", "sqlite:///environment")
    assert load_settings().store_url == "sqlite:///environment"


def test_a_database_address_given_as_argument_wins(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "sqlite:///environment")
    assert load_settings(database_url="sqlite:///argument").store_url == "sqlite:///argument"


def test_an_argument_that_is_none_is_not_given():
    assert load_settings(port=None).port == 8000


def test_an_unknown_key_in_the_file_is_refused_with_the_nearest_name():
    write_config(ab_probb=0.5)
    with pytest.raises(SettingsError, match=r"config\.toml.*`ab_probb`; did you mean `ab_prob`"):
        load_settings()


def test_an_unknown_variable_is_refused(monkeypatch):
    monkeypatch.setenv("CHATLOOP_PROT", "1")
    with pytest.raises(SettingsError, match=r"CHATLOOP_PROT.*did you mean `port`"):
        load_settings()


def test_an_unknown_argument_is_refused_with_the_list():
    with pytest.raises(SettingsError, match="zzzzzz"):
        load_settings(zzzzzz=1)


@pytest.mark.parametrize("name", ["ollama_api_url", "database_url"])
def test_no_variable_is_taken_and_then_ignored(monkeypatch, name):
    """A prefixed name either sets the setting or is refused; it never does nothing."""
    value = "sqlite:///x" if name == "database_url" else "http://x:1"
    monkeypatch.setenv(f"CHATLOOP_{name.upper()}", value)
    try:
        found = getattr(load_settings(), name)
    except SettingsError:
        return
    assert value in (found, getattr(found, "get_secret_value", str)())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 0),
        ("port", 70000),
        ("ab_prob", 1.1),
        ("ab_prob", -0.1),
        ("explore", "often"),
        ("first_token_timeout_s", 0),
        ("llm_in_flight", 0),
        ("answer_max_tokens", 1),
        ("seed", -1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(SettingsError, match=f"wrong setting: {name}"):
        load_settings(**{name: value})


def test_several_wrong_values_come_in_one_line():
    with pytest.raises(SettingsError) as caught:
        load_settings(port=0, ab_prob=2)
    line = str(caught.value)
    assert "port" in line
    assert "ab_prob" in line
    assert "\n" not in line


def test_a_named_file_must_exist(monkeypatch, tmp_path):
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(config=tmp_path / "none.toml")
    monkeypatch.setenv("CHATLOOP_CONFIG", "also-none.toml")
    with pytest.raises(SettingsError, match=r"also-none\.toml"):
        load_settings()


def test_a_named_file_is_read(monkeypatch, tmp_path):
    (tmp_path / "other.toml").write_text("port = 9000\n")
    assert load_settings(config=tmp_path / "other.toml").port == 9000
    monkeypatch.setenv("CHATLOOP_CONFIG", str(tmp_path / "other.toml"))
    assert load_settings().port == 9000


@pytest.mark.parametrize("raw", [b"port =", b"\xff\xfe", b"port = 1\nport = 2\n"])
def test_an_unreadable_file_is_refused(raw):
    Path("config.toml").write_bytes(raw)
    with pytest.raises(SettingsError, match="not a readable TOML file"):
        load_settings()


def test_secrets_are_hidden_when_printed(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://bot:tell-nobody@host/db")
    settings = load_settings(secret="tell-nobody-either")
    for shown in (repr(settings), str(settings), str(settings.model_dump())):
        assert "tell-nobody" not in shown
    assert settings.store_url == "postgresql://bot:tell-nobody@host/db"


def test_only_the_pipe_to_a_child_process_sees_the_secrets(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://bot:tell-nobody@host/db")
    settings = load_settings(secret="tell-nobody-either", port=8123)
    again = Settings.model_validate_json(settings.revealed())
    assert again == settings
    assert again.secret.get_secret_value() == "tell-nobody-either"
    assert Settings.model_validate_json(load_settings(port=1).revealed()).port == 1


def test_a_refused_secret_is_not_echoed(monkeypatch):
    monkeypatch.setenv("CHATLOOP_PORT", "tell-nobody")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "tell-nobody" not in str(caught.value)


def test_settings_do_not_change():
    with pytest.raises(Exception, match="frozen"):
        load_settings().port = 1


def test_the_folders_hang_on_home(tmp_path):
    settings = load_settings(home=tmp_path)
    assert settings.data_dir == tmp_path / "data"
    assert settings.models_dir == tmp_path / "models"
    assert settings.chat_log == tmp_path / "logs" / "chat_metrics.log"
    assert settings.store_url == f"sqlite:///{tmp_path / 'data' / 'chatloop.db'}"


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("localhost", "http://localhost:11434"),
        ("localhost:1234", "http://localhost:1234"),
        (" http://localhost:11434/ ", "http://localhost:11434"),
        ("http://gpu:11434/api", "http://gpu:11434"),
        ("http://gpu:11434/v1/", "http://gpu:11434"),
        ("gpu/api", "http://gpu:11434"),
        ("gpu:1/v1", "http://gpu:1"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:1234", "http://127.0.0.1:1234"),
        ("[::]:1234", "http://127.0.0.1:1234"),
        ("https://llm.example.com/ollama", "https://llm.example.com/ollama"),
    ],
)
def test_what_people_paste_becomes_the_root_address(url, root):
    assert ollama_root(url) == root
    assert ollama_root(root) == root


@pytest.mark.parametrize(
    ("url", "limit_s"),
    [("127.0.0.1", 0.5), ("localhost:1", 0.5), ("http://[::1]:1", 0.5), ("gpu", 2.0)],
)
def test_a_near_server_has_less_time_to_connect(url, limit_s):
    assert load_settings(ollama_api_url=url).connect_limit_s == limit_s
    assert load_settings(ollama_api_url=url, connect_timeout_s=7).connect_limit_s == 7


def test_every_setting_says_what_it_is_for():
    assert all(field.description for field in Settings.model_fields.values())


def test_an_address_that_is_no_text_is_named_in_one_line(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("ollama_api_url = 5\n")
    with pytest.raises(SettingsError, match=r"ollama_api_url: .*an address is a text"):
        load_settings(config=config)
