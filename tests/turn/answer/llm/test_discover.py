from __future__ import annotations

import json

import pytest

from chatloop.core.errors import BackendError, BackendFault
from chatloop.turn.answer.llm.discover import (
    Choosing,
    canonical,
    choose,
    is_cloud_name,
    parse_models,
)


def models(*entries):
    entries = [{"name": e} if isinstance(e, str) else e for e in entries]
    return parse_models(json.dumps({"models": entries}).encode())


def chosen(*installed, running=(), **more):
    choice = choose(models(*installed), models(*running), **more)
    return choice.model.name if choice.model else choice.state


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("llama3.2", "llama3.2:latest"),
        (" LLaMA3.2:Latest ", "llama3.2:latest"),
        ("qwen3:0.6b", "qwen3:0.6b"),
        ("localhost:5000/me/m", "localhost:5000/me/m:latest"),
    ],
)
def test_names_are_compared_with_their_tag_and_without_case(name, full):
    assert canonical(name) == full


def test_the_configured_name_is_found_by_its_default_tag_and_in_any_case():
    assert chosen("b:latest", "llama3.2:latest", wanted="LLAMA3.2") == "llama3.2:latest"


def test_a_configured_name_that_is_not_there_is_missing_with_the_command_to_get_it():
    choice = choose(models("a:latest"), (), wanted="qwen3:4b")
    assert choice.state is Choosing.MODEL_MISSING
    assert choice.model is None
    assert choice.hint == "ollama pull qwen3:4b"
    assert choice.installed == ("a:latest",)


def test_another_tag_of_the_configured_name_is_not_it():
    assert chosen("llama3.2:1b", wanted="llama3.2") is Choosing.MODEL_MISSING


@pytest.mark.parametrize("body", [b'{"models":null}', b'{"models":[]}', b"{}"])
def test_no_models_at_all_gives_the_command_to_pull_one(body):
    choice = choose(parse_models(body), ())
    assert choice.state is Choosing.NO_MODEL
    assert choice.hint == "ollama pull llama3.2"


@pytest.mark.parametrize(
    "embedder",
    [
        {"name": "x", "capabilities": ["embedding"]},
        {"name": "nomic-embed-text:latest"},
        {"name": "mxbai-embed-large"},
        {"name": "all-minilm"},
        {"name": "plain", "details": {"family": "bert"}},
        {"name": "plain", "details": {"family": "x", "families": ["nomic-bert"]}},
    ],
)
def test_embedding_models_are_never_chosen_by_auto(embedder):
    assert chosen(embedder) is Choosing.NO_MODEL


def test_capabilities_win_over_names():
    assert chosen({"name": "embedded-helper", "capabilities": ["completion"]}) == "embedded-helper"


@pytest.mark.parametrize("name", ["gpt-oss:120b-cloud", "glm:cloud", "GLM:Cloud"])
def test_cloud_models_need_permission(name):
    assert is_cloud_name(name)
    assert chosen(name) is Choosing.NO_MODEL
    assert chosen(name, allow_cloud=True) == name
    refused = choose(models(name), (), wanted=name)
    assert refused.state is Choosing.MODEL_MISSING
    assert "CHATLOOP_LLM_ALLOW_CLOUD" in refused.hint


def test_a_model_with_a_remote_host_is_a_cloud_model():
    assert chosen({"name": "mine", "remote_host": "https://ollama.com"}) is Choosing.NO_MODEL


@pytest.mark.parametrize("name", ["cloud-helper:latest", "cloud", "my-cloud:7b"])
def test_the_word_cloud_outside_the_tag_is_harmless(name):
    assert not is_cloud_name(name)


def test_auto_prefers_a_running_model_then_the_smallest():
    big, small = {"name": "big:latest", "size": 9}, {"name": "small:latest", "size": 1}
    assert chosen(big, small) == "small:latest"
    assert chosen(big, small, running=["big:latest"]) == "big:latest"
    assert chosen(big, small, running=["BIG"]) == "big:latest"


def test_whether_the_choice_is_listed_as_running_is_told():
    assert not choose(models("a"), ()).listed
    assert choose(models("a"), models("a:latest")).listed


def test_unknown_keys_are_ignored():
    assert chosen({"name": "a", "details": {"new": [1]}, "new": {"x": None}}) == "a"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"models":{}}', b"", b'{"models":[{}]}'])
def test_what_is_not_a_list_of_models_is_a_bad_reply(body):
    with pytest.raises(BackendError) as caught:
        parse_models(body)
    assert caught.value.fault is BackendFault.BAD_REPLY
