"""Asking the daemon over HTTP."""

from __future__ import annotations

import base64
import contextlib
import json

import aiohttp

from .conftest import TOKEN


@contextlib.asynccontextmanager
async def asking(url, method, path, *, token=TOKEN, **values):
    headers = values.pop("headers", {})
    if token is not None:
        headers = {"X-JST-Auth": token} | headers
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{url}{path}", headers=headers, **values) as response,
    ):
        yield response


async def ask(url, method, path, **values):
    """The status and the body of an answer; an error's body is JSON that says what and why."""
    async with asking(url, method, path, **values) as response:
        body = await response.read()
        if response.status >= 400:
            told = json.loads(body)
            assert told["ok"] is False
            assert told["error"]
            assert told["message"]
            return response.status, told
        is_json = response.content_type == "application/json"
        return response.status, json.loads(body) if is_json else body


def at(path, **more):
    """The headers that say which file."""
    encoded = base64.b64encode(path.encode("utf-8", "surrogateescape")).decode()
    return {"X-Path-Base64": encoded} | {
        name.replace("_", "-"): str(value) for name, value in more.items()
    }
