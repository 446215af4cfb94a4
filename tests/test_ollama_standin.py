from __future__ import annotations

import httpx

from tests.ollama_standin import in_thread


def test_the_standin_speaks_ollamas_small_words():
    with in_thread(models=["plain", "b:1b"]) as server, httpx.Client(trust_env=False) as http:
        url = server.address
        assert http.get(url + "/").text == "Ollama is running"
        assert (http.head(url + "/").status_code, http.head(url + "/").text) == (200, "")
        assert http.get(url + "/api/version").json()["version"]
        names = [m["name"] for m in http.get(url + "/api/tags").json()["models"]]
        assert names == ["plain:latest", "b:1b"]
        assert http.get(url + "/api/ps").json()["models"][0]["context_length"] == 4096
        assert http.get(url + "/nothing").text == "404 page not found"
        assert http.delete(url + "/api/tags").text == "405 method not allowed"
        chat = url + "/api/chat"
        assert http.post(chat, content=b"").json() == {"error": "missing request body"}
        assert http.post(chat, json={}).json() == {"error": "model is required"}
        assert http.post(chat, json={"model": "x"}).status_code == 404
        loaded = http.post(chat, json={"model": "plain"}).json()
        assert loaded["done_reason"] == "load"
        said = {"model": "plain", "messages": [{"role": "user", "content": "Hi"}]}
        refused = http.post(chat, json=said | {"think": True})
        assert refused.json() == {"error": '"plain" does not support thinking'}
        assert http.post(chat, json=said | {"stream": False}).json()["done"] is True
        assert http.post(chat, content=b'{"model').json() == {"error": "unexpected EOF"}
        parts = {"model": "plain", "messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
        assert "cannot unmarshal array" in http.post(chat, json=parts).json()["error"]
        refused = http.post(chat, json=said | {"keep_alive": "10"})
        assert refused.json() == {"error": 'time: missing unit in duration "10"'}
        unloaded = http.post(chat, json={"model": "plain", "keep_alive": 0}).json()
        assert unloaded["done_reason"] == "unload"
        running = [m["name"] for m in http.get(url + "/api/ps").json()["models"]]
        assert running == ["b:1b"]
