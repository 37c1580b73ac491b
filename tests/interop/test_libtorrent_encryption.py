"""Libtorrent's encryption settings against ours: who connects, who serves, and how it is hidden."""

from __future__ import annotations

from pathlib import Path

import libtorrent as lt
import pytest

from millstream.engine.config import Encryption, EncryptionConfig, PayloadEncryption
from millstream.engine.link import Link

from .conftest import StartLibtorrent, StartMillstream
from .contents import assert_same_files, single_file

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]

KIB = 1024
FORCED, ENABLED, DISABLED = (
    int(policy)
    for policy in (lt.enc_policy.pe_forced, lt.enc_policy.pe_enabled, lt.enc_policy.pe_disabled)
)
PLAINTEXT, RC4, BOTH = (
    int(level) for level in (lt.enc_level.pe_plaintext, lt.enc_level.pe_rc4, lt.enc_level.pe_both)
)

PREFER = EncryptionConfig()
PREFER_RC4 = EncryptionConfig(prefer_rc4=True)
REQUIRE = EncryptionConfig(policy=Encryption.REQUIRE)
REQUIRE_ANY = EncryptionConfig(policy=Encryption.REQUIRE, payload=PayloadEncryption.BOTH)
HEADER_ONLY = EncryptionConfig(policy=Encryption.REQUIRE, payload=PayloadEncryption.PLAINTEXT)
DISABLE = EncryptionConfig(policy=Encryption.DISABLE)

# Ours; libtorrent's policy, level and prefer_rc4; and what becomes of it.
# When libtorrent connects, ours chooses; when we connect, libtorrent's does.
LIBTORRENT_CONNECTS = [
    (PREFER, FORCED, BOTH, False, "plaintext"),
    (PREFER, FORCED, RC4, False, "rc4"),
    (PREFER, FORCED, PLAINTEXT, False, "plaintext"),
    (PREFER_RC4, FORCED, BOTH, False, "rc4"),
    (PREFER, ENABLED, BOTH, True, "plaintext"),
    (PREFER, DISABLED, BOTH, False, ""),
    (REQUIRE, FORCED, BOTH, False, "rc4"),
    (REQUIRE, ENABLED, BOTH, False, "rc4"),
    (REQUIRE_ANY, FORCED, BOTH, False, "plaintext"),
    (HEADER_ONLY, FORCED, BOTH, True, "plaintext"),
    (DISABLE, ENABLED, BOTH, False, ""),
    (DISABLE, DISABLED, BOTH, False, ""),
]
MILLSTREAM_CONNECTS = [
    (PREFER, FORCED, BOTH, False, "plaintext"),
    (PREFER, FORCED, BOTH, True, "rc4"),
    (PREFER, FORCED, RC4, False, "rc4"),
    (PREFER, FORCED, PLAINTEXT, False, "plaintext"),
    (PREFER, ENABLED, BOTH, False, "plaintext"),
    (PREFER, DISABLED, BOTH, False, ""),
    (REQUIRE, FORCED, BOTH, False, "rc4"),
    (REQUIRE, ENABLED, BOTH, False, "rc4"),
    (REQUIRE_ANY, ENABLED, BOTH, False, "plaintext"),
    (HEADER_ONLY, ENABLED, BOTH, True, "plaintext"),
    (DISABLE, ENABLED, BOTH, False, ""),
    (DISABLE, DISABLED, BOTH, False, ""),
]
NAMES = {
    id(PREFER): "prefer",
    id(PREFER_RC4): "prefer rc4",
    id(REQUIRE): "require",
    id(REQUIRE_ANY): "require any",
    id(HEADER_ONLY): "header",
    id(DISABLE): "disable",
}


def name(value: object) -> str | None:
    return NAMES.get(id(value))


@pytest.fixture
def greeted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How each connection of ours was encrypted that came as far as a peer."""
    kinds: list[str] = []
    greet = Link._greet

    def watched(link: Link, *args: object) -> memoryview:
        rest = greet(link, *args)
        if link.peer is not None:
            kinds.append(link.encryption)
        return rest

    monkeypatch.setattr(Link, "_greet", watched)
    return kinds


def settings(policy: int, level: int, prefer_rc4: bool) -> dict[str, object]:
    return {
        "out_enc_policy": policy,
        "in_enc_policy": policy,
        "allowed_enc_level": level,
        "prefer_rc4": prefer_rc4,
    }


@pytest.mark.parametrize("seeds", [True, False], ids=["libtorrent seeds", "libtorrent leeches"])
@pytest.mark.parametrize(
    ("connects", "ours", "policy", "level", "prefer_rc4", "kind"),
    [
        *(("libtorrent connects", *case) for case in LIBTORRENT_CONNECTS),
        *(("millstream connects", *case) for case in MILLSTREAM_CONNECTS),
    ],
    ids=name,
)
async def test_how_a_connection_is_hidden(
    tmp_path: Path,
    libtorrent: StartLibtorrent,
    millstream: StartMillstream,
    greeted: list[str],
    seeds: bool,
    connects: str,
    ours: EncryptionConfig,
    policy: int,
    level: int,
    prefer_rc4: bool,
    kind: str,
) -> None:
    seeded, data = await single_file(300 * KIB).share(tmp_path / "seeded", 32 * KIB)
    leeched = tmp_path / "leeched"
    engine = await millstream(leeched if seeds else seeded, encryption=ours)
    torrent = await engine.add(data)
    await torrent.wait_checked()
    other = libtorrent(
        data, seeded if seeds else leeched, settings=settings(policy, level, prefer_rc4)
    )
    await other.wait_checked()

    if connects == "libtorrent connects":
        other.connect(engine.listen_port)
    else:
        torrent.add_peer(other.address)

    await (torrent if seeds else other).wait_complete()
    assert greeted == [kind]
    other.close()
    assert_same_files(seeded, leeched)


@pytest.mark.parametrize(("ours", "policy"), [(REQUIRE, DISABLED), (DISABLE, FORCED)], ids=name)
async def test_no_way_to_meet(
    tmp_path: Path,
    libtorrent: StartLibtorrent,
    millstream: StartMillstream,
    greeted: list[str],
    ours: EncryptionConfig,
    policy: int,
) -> None:
    seeded, data = await single_file(300 * KIB).share(tmp_path / "seeded", 32 * KIB)
    engine = await millstream(seeded, encryption=ours)
    torrent = await engine.add(data)
    await torrent.wait_checked()
    other = libtorrent(data, tmp_path / "leeched", settings=settings(policy, BOTH, False))
    await other.wait_checked()

    other.connect(engine.listen_port)
    await other.wait_seen("peer_disconnected", 1)
    torrent.add_peer(other.address)
    await other.wait_seen("incoming_connection", 1)
    await other.wait_seen("peer_disconnected", 2)

    assert greeted == []
    assert other.progress == 0
