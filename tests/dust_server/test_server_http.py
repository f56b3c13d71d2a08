"""The HTTP server keeps connections, reads no body over 4 MB, and stops at once."""

from __future__ import annotations

import http.client
import json
import time

import httpx
import pytest
from dust_api import QUOTE, SUPPORT, Api, serving, shared


def test_body_limit(shared: Api) -> None:
    """A body over 4 MB is a 413, and the connection lives on."""
    big = {"question": "x" * (4 * 1024 * 1024)}
    answer = shared.http.post(shared.path(SUPPORT), json=shared.body(SUPPORT, inputs=[big]))
    assert shared.refused(answer) == (413, "content_too_large")
    assert shared.http.get(shared.path()).status_code == 200


def test_connection_is_kept(shared: Api) -> None:
    """Several requests, a stream among them, go over one connection."""
    wire = http.client.HTTPConnection("127.0.0.1", shared.server.port)
    headers = {"Authorization": f"Bearer {shared.server.api_key}"}
    wire.connect()
    sock = wire.sock
    for options in ({"stream": True}, {"blocking": True}):
        wire.request("POST", shared.path(QUOTE), json.dumps(shared.body(QUOTE, **options)), headers)
        assert wire.getresponse().read()
        assert wire.sock is sock
    wire.close()


def test_stop_is_prompt_with_an_open_stream() -> None:
    """Stopping breaks off streams at once, and the server can be started again."""
    with serving(delay=30) as api:
        with api.http.stream("POST", api.path(QUOTE), json=api.body(QUOTE, stream=True)) as answer:
            began = time.monotonic()
            api.server.stop()
            assert time.monotonic() - began < 5
            with pytest.raises(httpx.HTTPError):
                answer.read()
        api.server.start()
        assert api.http.get(api.path()).status_code == 200
