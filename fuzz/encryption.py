"""Targets for encrypted handshakes (MSE): bytes in any split, and true handshakes gone wrong."""

from __future__ import annotations

import random
from contextlib import suppress

from millstream.adapters.memory import MemoryCryptography
from millstream.engine.config import Encryption, EncryptionConfig, PayloadEncryption
from millstream.engine.greeting import Greeting
from millstream.errors import RemoteProtocolError
from millstream.protocol.handshake import Handshake
from millstream.protocol.infohash import InfoHash
from millstream.protocol.mse_acceptor import MAX_INITIAL_PAYLOAD_LENGTH, MseAcceptor
from millstream.protocol.mse_handshake import MseHandshake
from millstream.protocol.mse_initiator import MseInitiator
from millstream.protocol.mse_keys import CryptoMethod, torrent_hash
from millstream.protocol.rc4 import Rc4

from .target import Script, Target

SKEY = InfoHash(b"\x55" * 20)
KNOWN = {torrent_hash(SKEY): SKEY}
BOTH = CryptoMethod.PLAINTEXT | CryptoMethod.RC4
HELLO = Handshake(SKEY, b"-XX0001-abcdefghijkl", 0x10_0004).encode()
MAX_KEPT = 1200 + MAX_INITIAL_PAYLOAD_LENGTH
ROUNDS = 4


def initiator(seed: int) -> MseInitiator:
    """The side that connects."""
    return MseInitiator(SKEY, HELLO, BOTH, Rc4, random.Random(seed).randbytes)


def acceptor(seed: int) -> MseAcceptor:
    """The side that is connected to."""
    return MseAcceptor(KNOWN.get, BOTH, Rc4, random.Random(seed).randbytes, prefer_rc4=seed > 9)


def feed(machine: MseHandshake, script: Script, data: bytes) -> None:
    """Give it bytes in parts, as long as it wants any."""
    for part in script.parts(data):
        if machine.is_done:
            return
        taken = machine.receive(part)
        assert 0 <= taken <= len(part)
        assert len(machine._bytes) <= MAX_KEPT


def _fuzz(machine: MseHandshake, partner: MseHandshake, script: Script) -> None:
    with suppress(RemoteProtocolError):
        for _ in range(ROUNDS):
            words = bytearray(partner.take_output())
            for _ in range(script.number(3)):  # the partner's words, spoilt
                if words:
                    words[int(script.number() / 256 * len(words))] ^= script.number()
            feed(machine, script, bytes(words) + script.chunk())
            with suppress(RemoteProtocolError):
                feed(partner, script, machine.take_output())


def fuzz_mse_initiator(data: bytes) -> None:
    """Bytes instead of an answer, or a true answer that is spoilt."""
    script = Script(data)
    if script.number(2):
        with suppress(RemoteProtocolError):
            feed(initiator(1), script, data)
    else:
        _fuzz(initiator(script.number()), acceptor(script.number()), script)


def fuzz_mse_acceptor(data: bytes) -> None:
    """Bytes instead of an opening, or a true opening that is spoilt."""
    script = Script(data)
    if script.number(2):
        with suppress(RemoteProtocolError):
            feed(acceptor(1), script, data)
    else:
        _fuzz(acceptor(script.number()), initiator(script.number()), script)


def fuzz_greeting(data: bytes) -> None:
    """What is it that came: a handshake, an encrypted one, or neither?"""
    script = Script(data)
    config = EncryptionConfig(
        policy=list(Encryption)[script.number(len(Encryption))],
        payload=list(PayloadEncryption)[script.number(len(PayloadEncryption))],
    )
    sent = bytearray()
    greeting = Greeting(
        config, MemoryCryptography(random.Random(1)), KNOWN.get, sent.extend, lambda _: HELLO
    )
    role = script.number(3)
    if role:
        greeting.open(HELLO, encrypt=role == 1)
    beginnings = (b"", HELLO, HELLO[:30], initiator(2).take_output(), acceptor(2).take_output())
    opening = beginnings[script.number(len(beginnings))]
    with suppress(RemoteProtocolError):
        for part in script.parts(opening + data):
            if greeting.handshake is not None:
                return
            greeting.receive(part)


_SCRIPTS = [bytes([0, 5, 6]) + bytes(60), bytes([1]) + bytes(200), bytes([0] * 40)]

TARGETS = [
    Target("mse_initiator", "encrypted handshakes that we began", fuzz_mse_initiator, _SCRIPTS),
    Target("mse_acceptor", "encrypted handshakes that came", fuzz_mse_acceptor, _SCRIPTS),
    Target("greeting", "telling plain from encrypted handshakes", fuzz_greeting, _SCRIPTS),
]
