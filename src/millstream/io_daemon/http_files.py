"""The routes of files and hashes: docs/io-daemon.md has them in a table."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from millstream.http_server.fields import Fields, parse_json
from millstream.http_server.refusal import Refusal, invalid
from millstream.io_daemon.bodies import Bodies
from millstream.io_daemon.file_calls import FileCalls, Task
from millstream.io_daemon.lent_files import LentFiles
from millstream.io_daemon.lent_roots import LentRoots
from millstream.io_daemon.relative_path import path_parts
from millstream.io_daemon.whole_files import (
    Span,
    hash_span,
    open_span,
    read_step,
    write_verified,
)
from millstream.io_wire.calls import MAX_CALL_LENGTH
from millstream.io_wire.extents import MAX_POSITION

Json = dict[str, Any]
Handler = Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]

ALGORITHMS = ("sha1", "sha256")


class HttpFiles:
    """Answers for files.

    Args:
        roots: what is lent.
        files: what is done with it.
        calls: the cold paths.
        headers_of: what an answer to a request has; one that is streamed needs it before.
    """

    def __init__(
        self,
        roots: LentRoots,
        files: LentFiles,
        calls: FileCalls,
        headers_of: Callable[[web.BaseRequest], dict[str, str]],
    ) -> None:
        self._headers_of = headers_of
        self._roots = roots
        self._files = files
        self._calls = calls
        self._bodies = Bodies()
        self._routes: dict[tuple[str, str], Handler] = {
            ("POST", "/write/"): self._write,
            ("GET", "/read/"): self._read,
            ("POST", "/fs/"): self._call,
            ("POST", "/files/ensure_dir"): self._ensure_dir,
            ("GET", "/ops/stat"): self._stat,
            ("GET", "/ops/list"): self._list,
            ("POST", "/ops/delete"): self._delete,
            ("POST", "/ops/truncate"): self._truncate,
        }
        for name in ALGORITHMS:
            self._routes["POST", f"/hash/{name}"] = _hasher(self._hash_body, name)
            self._routes["GET", f"/hash/{name}/"] = _hasher(self._hash_file, name)

    def find(self, method: str, path: str) -> tuple[Handler, str] | None:
        """What answers a request, and the rest of its path; None if nothing here does.

        Raises:
            Refusal: something does, by another method; 405.
        """
        allowed = []
        for (known, prefix), handler in self._routes.items():
            is_open = prefix.endswith("/")
            if not (
                path.startswith(prefix) and len(path) > len(prefix) if is_open else path == prefix
            ):
                continue
            if known == method:
                return handler, path[len(prefix) :]
            allowed.append(known)
        if allowed:
            raise Refusal(405, "MethodNotAllowed", f"{path[:80]!r} takes {' or '.join(allowed)}")
        return None

    # Data.

    async def _write(self, request: web.BaseRequest, root: str) -> web.StreamResponse:
        self._roots.get(root)
        path = _path_of(request)
        offset = _number(request, "X-Offset") or 0
        expected = request.headers.get("X-Expected-SHA1")
        digest = None if expected is None else _digest(expected)
        async with self._bodies.read(request) as body:
            await self._calls.in_thread(
                write_verified, self._files, root, path, offset, body, digest
            )
        return web.Response()

    async def _read(self, request: web.BaseRequest, root: str) -> web.StreamResponse:
        self._roots.get(root)
        path = _path_of(request)
        offset, length = _number(request, "X-Offset") or 0, _number(request, "X-Length")
        span = await self._calls.in_thread(open_span, self._files, root, path, offset, length)
        try:
            response = web.StreamResponse(headers=self._headers_of(request))
            response.content_type = "application/octet-stream"
            response.content_length = span.length
            await response.prepare(request)
            await self._stream(request, response, span)
        finally:
            await self._calls.in_thread(os.close, span.descriptor)
        return response

    async def _stream(
        self, request: web.BaseRequest, response: web.StreamResponse, span: Span
    ) -> None:
        done = 0
        while done < span.length:
            try:
                data = await self._calls.in_thread(read_step, span, done)
            except OSError as error:
                # The status went out already: only the end of the connection tells now.
                if request.transport is not None:
                    request.transport.abort()
                raise ConnectionResetError from error
            await response.write(data)
            done += len(data)
        await response.write_eof()

    async def _hash_body(self, request: web.BaseRequest, name: str, _: str) -> web.StreamResponse:
        async with self._bodies.read(request) as body:
            digest = await self._calls.in_thread(hashlib.new, name, body)
        return web.Response(body=digest.digest(), content_type="application/octet-stream")

    async def _hash_file(
        self, request: web.BaseRequest, name: str, path: str
    ) -> web.StreamResponse:
        query = request.query
        # `root_token` is the original's name of it, here and nowhere else.
        root = query.get("root_token") or _query(request, "root_key")
        path_parts(path)
        self._roots.get(root)
        offset = _integer("offset", query.get("offset")) or 0
        length = _integer("length", query.get("length"))
        span = await self._calls.in_thread(open_span, self._files, root, path, offset, length)
        return web.Response(text=await self._calls.in_thread(hash_span, span, name))

    # The cold paths.

    async def _call(self, request: web.BaseRequest, operation: str) -> web.StreamResponse:
        if operation not in self._calls.operations:
            raise Refusal(404, "NotFound", f"there is no operation {operation[:80]!r}")
        return web.json_response(
            {"ok": True, **await self._carry_out(operation, await self._fields(request))}
        )

    async def _ensure_dir(self, request: web.BaseRequest, _: str) -> web.StreamResponse:
        fields = await self._fields(request)
        place = _place(fields)
        fields.finish()
        await self._carry_out("make_directory", Fields(place))
        return web.json_response({"ok": True})

    async def _stat(self, request: web.BaseRequest, _: str) -> web.StreamResponse:
        root, path = _query(request, "root_key"), _query(request, "path")
        size, mtime, is_directory = await self._found(root, path)
        return web.json_response(
            {
                "size": size,
                "mtime": int(mtime * 1000),
                "is_directory": is_directory,
                "is_file": not is_directory,
            }
        )

    async def _list(self, request: web.BaseRequest, _: str) -> web.StreamResponse:
        place = {"root": _query(request, "root_key"), "path": _query(request, "path")}
        found = await self._carry_out("list", Fields(place))
        return web.json_response(found["names"])

    async def _delete(self, request: web.BaseRequest, _: str) -> web.StreamResponse:
        fields = await self._fields(request)
        place = _place(fields)
        fields.finish()
        await self._found(place["root"], place["path"])
        await self._carry_out("delete", Fields(place | {"recursive": True}))
        return web.json_response({"ok": True})

    async def _truncate(self, request: web.BaseRequest, _: str) -> web.StreamResponse:
        fields = await self._fields(request)
        place = _place(fields)
        place["length"] = fields.integer("length", 0, MAX_POSITION)
        fields.finish()
        await self._carry_out("truncate", Fields(place))
        return web.json_response({"ok": True})

    async def _found(self, root: str, path: str) -> list[Any]:
        found = await self._carry_out("stat", Fields({"root": root, "path": path}))
        if found["stat"] is None:
            raise Refusal(404, "NotFound", f"{root}/{path}: there is nothing")
        stat: list[Any] = found["stat"]
        return stat

    async def _fields(self, request: web.BaseRequest) -> Fields:
        async with self._bodies.read(request, MAX_CALL_LENGTH) as body:
            return parse_json(bytes(body))

    async def _carry_out(self, operation: str, fields: Fields) -> Json:
        return await self._calls.operations[operation](fields, Task())


def _hasher(
    handler: Callable[[web.BaseRequest, str, str], Awaitable[web.StreamResponse]], name: str
) -> Handler:
    return lambda request, rest: handler(request, name, rest)


def _place(fields: Fields) -> Json:
    """What is `root_key` in the original's routes is `root` in a call."""
    root = fields.required(fields.text, "root_key")
    return {"root": root, "path": fields.required(fields.text, "path")}


def _path_of(request: web.BaseRequest) -> str:
    given = request.headers.get("X-Path-Base64")
    if given is None:
        raise Refusal(400, "BadPath", "X-Path-Base64 is missing")
    try:
        path = base64.b64decode(given, validate=True).decode()
    except (binascii.Error, ValueError):
        raise Refusal(400, "BadPath", "X-Path-Base64 is no base64 of UTF-8") from None
    path_parts(path)
    return path


def _number(request: web.BaseRequest, name: str) -> int | None:
    return _integer(name, request.headers.get(name))


def _integer(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_POSITION):
        raise Refusal(400, "BadNumber", f"{name} is {text[:40]!r}; it must be 0 or more")
    return int(text)


def _digest(text: str) -> bytes:
    if len(text) != 40 or not set(text) <= set("0123456789abcdefABCDEF"):
        raise Refusal(400, "BadHash", f"X-Expected-SHA1 is {text[:80]!r}, not 40 hex digits")
    return bytes.fromhex(text)


def _query(request: web.BaseRequest, name: str) -> str:
    value = request.query.get(name)
    if value is None:
        raise invalid(name, "is missing in the query")
    return value
