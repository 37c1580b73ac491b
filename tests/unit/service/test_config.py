from __future__ import annotations

from pathlib import Path

import pytest

from millstream.errors import ConfigError
from millstream.service.config import (
    AfterAdding,
    DaemonConfig,
    HooksConfig,
    LogConfig,
    ServiceConfig,
    WatchConfig,
    WebhooksConfig,
    local_path,
)
from millstream.service.occasion import Occasion


@pytest.mark.parametrize(
    ("made", "values", "words"),
    [
        (WatchConfig, {"folder": "in"}, "watch.folder is 'in'; it must be an absolute path"),
        (WatchConfig, {"folder": "/in\0"}, "watch.folder is "),
        (WatchConfig, {"folder": "/in", "save_path": "out"}, "watch.save_path is 'out'"),
        (WatchConfig, {"folder": "/in", "interval": 0.0}, "watch.interval is 0.0; it must be 0.1"),
        (WatchConfig, {"folder": "/in", "after": AfterAdding.MOVE}, "watch.move_to must be set"),
        (WatchConfig, {"folder": "/in", "move_to": "/out"}, "watch.move_to must be set"),
        (
            WatchConfig,
            {"folder": "/in", "after": AfterAdding.MOVE, "move_to": "/x/../in/"},
            "watch.move_to is watch.folder itself",
        ),
        (WatchConfig, {"folder": "/in", "save_path": "/a", "root": "b"}, "say both"),
        (HooksConfig, {"timeout": 0.0}, "hooks.timeout is 0.0; it must be 1 to 86400"),
        (HooksConfig, {"max_running": 65}, "hooks.max_running is 65; it must be 1 to 64"),
        (HooksConfig, {"added": ("", "x")}, "hooks.added names no program"),
        (HooksConfig, {"error": ("x", "{nmae}")}, "hooks.error has '{nmae}' in '{nmae}'"),
        (WebhooksConfig, {"timeout": 301.0}, "webhooks.timeout is 301.0"),
        (WebhooksConfig, {"max_attempts": 0}, "webhooks.max_attempts is 0; it must be 1 to 20"),
        (WebhooksConfig, {"events": ("begun",)}, "webhooks.events has 'begun'; it must be some of"),
        (DaemonConfig, {"host": "here"}, "daemon.host is 'here'; it must be an IPv4 or IPv6"),
        (DaemonConfig, {"port": 65536}, "daemon.port is 65536; it must be 0 to 65535"),
        (DaemonConfig, {"output": "down"}, "daemon.output is 'down'; it must be an absolute path"),
        (DaemonConfig, {"session": "s.db"}, "daemon.session is 's.db'"),
        (DaemonConfig, {"token_file": "t"}, "daemon.token_file is 't'"),
        (LogConfig, {"level": "loud"}, "log.level: 'loud' is no log level"),
        (LogConfig, {"components": ("peer",)}, "log.components has 'peer'; it must be COMPONENT="),
        (LogConfig, {"components": ("nobody=info",)}, "log.components has 'nobody=info'"),
        (LogConfig, {"components": ("peer=loud",)}, "log.components: 'loud' is no log level"),
    ],
)
def test_what_is_wrong_is_named(made, values, words):
    with pytest.raises(ConfigError) as caught:
        made(**values)
    assert words in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://h/x", "http://", "h/x", "http://h:0/", "http://[/", ""])
def test_an_url_that_is_none_is_not_shown(url):
    with pytest.raises(ConfigError) as caught:
        WebhooksConfig(urls=("https://example.org/hook", url))
    assert str(caught.value).startswith("webhooks.urls, number 2, is no URL")
    assert not url or url not in str(caught.value).replace("http:// or", "")


def test_what_is_right_is_taken():
    WatchConfig(folder="~/in", after=AfterAdding.MOVE, move_to="/out", root="main")
    WebhooksConfig(urls=("http://[::1]:8080/x?y=z",), events=("added",))
    LogConfig(level="DEBUG", components=("peer=info", "service=error"))
    hooks = HooksConfig(added=("run", "{name} {{}}"), removed=("gone",))
    assert hooks.command(Occasion.ADDED) == ("run", "{name} {{}}")
    assert hooks.command(Occasion.ERROR) == ()


def test_the_secret_is_not_in_the_words_for_the_log():
    assert "hush" not in repr(WebhooksConfig(secret="hush"))  # noqa: S106 - of this test


def test_a_folder_is_watched_once():
    one, other = WatchConfig(folder="/in"), WatchConfig(folder="/x/../in/")
    with pytest.raises(ConfigError, match=r"^watch\.b\.folder is that of watch\.a, too$"):
        ServiceConfig(watch={"a": one, "b": other})


def test_the_home_directory(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    assert local_path("~/in") == Path("/home/anna/in")
    assert local_path("/in") == Path("/in")
    assert local_path("~nobody-of-that-name/in") == Path("~nobody-of-that-name/in")
