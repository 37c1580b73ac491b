"""What the commands have in common that tell the daemon to do one thing to one torrent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.cli.display import open_display
from millstream.cli.remote import ask, facts_of, find, torrent_path

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient


def tell(
    torrent: str,
    verb: str,
    done: str,
    *,
    daemon: str | None,
    token_file: Path | None,
    json: bool,
    body: Mapping[str, object] | None = None,
) -> None:
    """Have a torrent's route carried out and say so.

    Args:
        torrent: what the user calls it.
        verb: the route: `/torrent/{id}/` and this.
        done: the event's name, which is also the word for people: `paused`.
        daemon: where the daemon is.
        token_file: where the token is.
        json: whether scripts want to know.
        body: what the route is told.

    Raises:
        CommandError: there is no such torrent, or the daemon refuses.
        ControlError: no daemon answers, or it does not let us in.
    """

    async def main(client: ControlClient) -> str:
        found = await find(client, torrent)
        await client.post(torrent_path(found, verb), body)
        return found

    with open_display(json=json) as display:
        info_hash = ask(daemon, token_file, main)
        display.event(done, f"{done.capitalize()} {info_hash}", good=True, infohash=info_hash)


def show_or_change(
    torrent: str,
    verb: str,
    words: Callable[[Mapping[str, Any]], str],
    *,
    daemon: str | None,
    token_file: Path | None,
    json: bool,
    body: Mapping[str, object] | None = None,
) -> None:
    """Show what a torrent's route answers, after it was told something if that is wanted.

    Args:
        torrent: what the user calls it.
        verb: the route: `/torrent/{id}/` and this; the event's name, too.
        words: the answer in a line for people.
        daemon: where the daemon is.
        token_file: where the token is.
        json: whether scripts want to know.
        body: what is to change; empty or None: nothing.

    Raises:
        CommandError: there is no such torrent, or the daemon refuses.
        ControlError: no daemon answers, or it does not let us in.
    """

    async def main(client: ControlClient) -> tuple[str, dict[str, Any]]:
        found = await find(client, torrent)
        path = torrent_path(found, verb)
        return found, await (client.post(path, body) if body else client.get(path))

    with open_display(json=json) as display:
        info_hash, answer = ask(daemon, token_file, main)
        answer.pop("ok", None)
        display.event(verb, words(answer), good=None, infohash=info_hash, **facts_of(answer))
