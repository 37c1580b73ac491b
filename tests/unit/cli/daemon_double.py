"""A daemon's answers without a daemon, for the tests of the commands that ask it."""

from __future__ import annotations

import contextlib

from millstream.cli import main

ID = "ab" * 20
OTHER = "abcd" * 10

VIEW = {
    "ok": True,
    "id": ID,
    "name": "x\x1b[2J",
    "state": "downloading_metadata",
    "error": None,
    "errorKind": None,
    "whyIdle": "",
    "trouble": None,
    "progress": 0.5,
    "metadataProgress": 0.5,
    "downloadRate": 2_000_000,
    "uploadRate": 0,
    "totalDownloaded": 5 << 20,
    "totalUploaded": 0,
    "ratio": None,
    "size": 10 << 20,
    "sizeDone": 5 << 20,
    "pieceCount": 4,
    "piecesHave": 2,
    "peers": 1,
    "seeds": 0,
    "eta": 61,
    "savePath": "/srv",
    "addedAt": 1_700_000_000,
    "completedAt": None,
}


FIND = ("GET", "/torrents?fields=id%2Cname", None)
"""How the torrent that a user names is looked for."""


class Daemon:
    """Answers by path, with its query or without, and keeps what it was asked."""

    def __init__(self, answers):
        self.answers = {"/torrents": {"torrents": [VIEW]}} | answers
        self.asked = []
        self.made = None

    def __call__(self, url, *, token=None):
        self.made = (url, token)
        return contextlib.nullcontext(self)

    async def get(self, path):
        return self._answer("GET", path, None)

    async def post(self, path, body=None):
        return self._answer("POST", path, body)

    def _answer(self, method, path, body):
        self.asked.append((method, path, body))
        answer = self.answers.get(path)
        if answer is None:
            answer = self.answers[path.partition("?")[0]]
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def run(monkeypatch, capsys, *arguments, **answers):
    """The exit code, stdout and stderr of a command, and the daemon that it asked."""
    daemon = Daemon(answers.pop("answers", {}))
    monkeypatch.setattr("millstream.rpc.client.ControlClient", daemon)
    for variable in ("MILLSTREAM_DAEMON", "MILLSTREAM_TOKEN", "MILLSTREAM_DEBUG"):
        monkeypatch.delenv(variable, raising=False)
    for name, value in answers.items():
        monkeypatch.setenv(name, value)
    try:
        code = main(list(arguments))
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr(), daemon
