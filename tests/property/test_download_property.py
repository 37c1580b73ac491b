"""A download among peers that come, go, choke, allow, refuse, lose, lie, dawdle and answer twice.

The peers here keep their own books, from the bytes they are sent. Whatever happens, both sides'
books agree, no honest peer is blamed or dropped, and a good seed at the end completes the torrent.
"""

from __future__ import annotations

from collections import Counter

import pytest
from fakes import RecordingLink, RecordingPort, TorrentStage, block_data, decode, piece_data
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from millstream.core.config import TransferConfig
from millstream.core.file_priority import PiecePriorities
from millstream.core.peer import Peer
from millstream.core.piece_set import members
from millstream.core.torrent_state import TorrentState
from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.bitfield import encode_bitfield, every_piece, has_piece
from millstream.protocol.compact import PeerAddress
from millstream.protocol.messages import BLOCK_LENGTH

PIECES, BLOCKS = 4, 3
Request = tuple[int, int]


class Remote:
    """The peer's side of a connection."""

    def __init__(self, peer: Peer, link: RecordingLink, *, honest: bool) -> None:
        self.peer = peer
        self.link = link
        self.honest = honest
        self.choking = True
        self.allowed: set[int] = set()
        self.pending: list[Request] = []
        self.ever: set[Request] = set()

    def on_the_way(self) -> list[Request]:
        """Requests that were sent to it and that it has not read."""
        return [
            (index, begin)
            for name, index, begin, _ in (m for m in decode(bytes(self.link.unread)) if len(m) == 4)
            if name == "request"
        ]

    def read(self) -> bytes:
        """Take in what was sent to it; returns what it answers at once."""
        answers = b""
        for name, *fields in self.link.read():
            if name not in {"request", "cancel"}:
                continue
            index, begin, length = fields
            if name == "request":
                self.ever.add((index, begin))
                if not self.choking or index in self.allowed:
                    self.pending.append((index, begin))
                    continue
            elif (index, begin) in self.pending:
                self.pending.remove((index, begin))
            else:
                continue
            if self.peer.fast:
                answers += messages.reject(index, begin, length)
        return answers


class Port(RecordingPort):
    """Bans only liars, and drops them at once."""

    machine: DownloadMachine

    def ban(self, address: PeerAddress, reason: str) -> None:
        super().ban(address, reason)
        assert address in self.machine.liars
        for remote in list(self.machine.remotes):
            if remote.peer.address == address:
                self.machine.drop(remote)


class DownloadMachine(RuleBasedStateMachine):
    stage: TorrentStage | None = None

    @initialize(
        depth=st.sampled_from([1, 4, 500]),
        room=st.integers(1, PIECES),
        seed=st.integers(0, 3),
        sequential=st.booleans(),
    )
    def begin(self, depth: int, room: int, seed: int, *, sequential: bool) -> None:
        stage = self.stage = TorrentStage(
            PIECES,
            BLOCKS,
            last_length=BLOCK_LENGTH + 9,
            room=room * BLOCKS * BLOCK_LENGTH,
            seed=seed,
            config=TransferConfig(max_request_depth=depth),
        )
        self.machine, self.need = stage.machine, stage.machine.need
        stage.port = self.machine._port = Port()
        stage.port.machine = self
        self.download = self.machine.transfer.download
        self.need.sequential = sequential
        self.machine.set_state(TorrentState.CHECKING)
        self.machine.checked(0)
        self.remotes: list[Remote] = []
        self.liars: set[PeerAddress] = set()
        self.of_other_torrents = 0

    # Peers come and go.

    @precondition(lambda self: len(self.remotes) < 4)
    @rule(
        pieces=st.integers(0, every_piece(PIECES)) | st.just(every_piece(PIECES)),
        fast=st.booleans(),
        honest=st.booleans(),
        choking=st.booleans(),
        allowed=st.sets(st.integers(0, PIECES - 1), max_size=2),
    )
    def come(
        self, pieces: int, *, fast: bool, honest: bool, choking: bool, allowed: set[int]
    ) -> None:
        remote = self.arrive(pieces, fast=fast, honest=honest)
        if fast:
            remote.allowed = allowed
            self.stage.says(remote.peer, *(messages.allowed_fast(piece) for piece in allowed))
        if not choking:
            remote.choking = False
            self.stage.says(remote.peer, messages.UNCHOKE)

    def arrive(self, pieces: int, *, fast: bool, honest: bool) -> Remote:
        peer = self.stage.peer(messages.bitfield(encode_bitfield(pieces, PIECES)), fast=fast)
        remote = Remote(peer, self.stage.links[peer.id], honest=honest)
        self.remotes.append(remote)
        if not honest:
            self.liars.add(peer.address)
        return remote

    def one(self, data: st.DataObject) -> Remote:
        return data.draw(st.sampled_from(self.remotes))

    def drop(self, remote: Remote) -> None:
        self.remotes.remove(remote)
        self.machine.remove_peer(remote.peer.id)

    @precondition(lambda self: self.remotes)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        self.drop(self.one(data))

    @precondition(lambda self: self.remotes)
    @rule(data=st.data(), piece=st.integers(0, PIECES - 1))
    def have(self, data: st.DataObject, piece: int) -> None:
        self.stage.says(self.one(data).peer, messages.have(piece))

    @precondition(lambda self: self.remotes)
    @rule(data=st.data(), pieces=st.integers(0, every_piece(PIECES)))
    def say_something_else(self, data: st.DataObject, pieces: int) -> None:
        self.stage.says(self.one(data).peer, messages.bitfield(encode_bitfield(pieces, PIECES)))

    # They read and answer.

    @precondition(lambda self: self.remotes)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        remote = self.one(data)
        self.stage.says(remote.peer, remote.read())

    @precondition(lambda self: self.remotes)
    @rule(data=st.data())
    def unchoke(self, data: st.DataObject) -> None:
        remote = self.one(data)
        remote.choking = False
        self.stage.says(remote.peer, messages.UNCHOKE)

    @precondition(lambda self: self.remotes)
    @rule(data=st.data())
    def choke(self, data: st.DataObject) -> None:
        remote = self.one(data)
        remote.choking = True
        self.stage.says(remote.peer, messages.CHOKE)
        if remote.peer.fast:
            # BEP 6: what was asked for is refused one by one; some of it may be sent first.
            some = data.draw(st.integers(0, len(remote.pending)))
            for _ in range(some):
                self.send(remote, 0)
            refused = [request for request in remote.pending if request[0] not in remote.allowed]
            remote.pending = [request for request in remote.pending if request not in refused]
            for index, begin in refused:
                length = self.stage.geometry.block_length(index, begin // BLOCK_LENGTH)
                self.stage.says(remote.peer, messages.reject(index, begin, length))
        else:
            remote.pending.clear()

    @precondition(lambda self: any(remote.peer.fast for remote in self.remotes))
    @rule(data=st.data(), piece=st.integers(0, PIECES - 1), suggest=st.booleans())
    def allow_or_suggest(self, data: st.DataObject, piece: int, *, suggest: bool) -> None:
        remote = data.draw(st.sampled_from([r for r in self.remotes if r.peer.fast]))
        if suggest:
            remote.peer.receive_suggest_piece(piece)
        else:
            remote.allowed.add(piece)
            self.stage.says(remote.peer, messages.allowed_fast(piece))

    @precondition(lambda self: self.remotes)
    @rule(data=st.data(), piece=st.integers(0, PIECES - 1))
    def lose(self, data: st.DataObject, piece: int) -> None:
        """BEP 54: with the Fast extension what was asked for is refused, else it is forgotten."""
        remote = self.one(data)
        remote.peer.receive_dont_have(piece)
        lost = [request for request in remote.pending if request[0] == piece]
        remote.pending = [request for request in remote.pending if request[0] != piece]
        if remote.peer.fast:
            for index, begin in lost:
                length = self.stage.geometry.block_length(index, begin // BLOCK_LENGTH)
                self.stage.says(remote.peer, messages.reject(index, begin, length))

    @precondition(lambda self: self.remotes)
    @rule(data=st.data(), rate=st.sampled_from([1e3, 1e5, 1e7]))
    def seem_fast(self, data: st.DataObject, rate: float) -> None:
        """It has sent at that rate until now, so that it may steal from others."""
        meter = self.one(data).peer.downloaded
        meter._rate, meter._since = rate, self.stage.now

    def send(self, remote: Remote, at: int, *, corrupt: bool = False) -> None:
        index, begin = remote.pending.pop(at)
        block = begin // BLOCK_LENGTH
        data = block_data(self.stage.geometry, index, block, corrupt=corrupt)
        self.stage.says(remote.peer, messages.piece_header(index, begin, len(data)) + data)

    @precondition(lambda self: any(remote.pending for remote in self.remotes))
    @rule(data=st.data(), many=st.booleans(), corrupt=st.booleans())
    def deliver(self, data: st.DataObject, *, many: bool, corrupt: bool) -> None:
        remote = data.draw(st.sampled_from([remote for remote in self.remotes if remote.pending]))
        at = 0 if many else data.draw(st.integers(0, len(remote.pending) - 1))
        for _ in range(len(remote.pending) if many else 1):
            self.send(remote, at, corrupt=corrupt and not remote.honest)

    @precondition(lambda self: self.remotes)
    @rule(data=st.data(), most=st.integers(1, 9), wrong=st.sets(st.integers(0, 8), max_size=2))
    def serve(self, data: st.DataObject, most: int, wrong: set[int]) -> None:
        remote = self.one(data)
        self.stage.tick()
        self.stage.says(remote.peer, remote.read())
        for number in range(min(most, len(remote.pending))):
            self.send(remote, 0, corrupt=number in wrong and not remote.honest)
        self.stage.tick()

    @precondition(lambda self: any(r.pending and r.peer.fast for r in self.remotes))
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        able = [remote for remote in self.remotes if remote.pending and remote.peer.fast]
        remote = data.draw(st.sampled_from(able))
        at = data.draw(st.integers(0, len(remote.pending) - 1))
        index, begin = remote.pending.pop(at)
        length = self.stage.geometry.block_length(index, begin // BLOCK_LENGTH)
        self.stage.says(remote.peer, messages.reject(index, begin, length))

    @precondition(lambda self: self.remotes)
    @rule(data=st.data(), piece=st.integers(0, PIECES - 1), block=st.integers(0, BLOCKS - 1))
    def send_what_was_not_requested(self, data: st.DataObject, piece: int, block: int) -> None:
        remote = self.one(data)
        if (piece, block * BLOCK_LENGTH) in {*remote.ever, *remote.on_the_way()}:
            return
        message = messages.piece_header(piece, block * BLOCK_LENGTH, 5) + b"wrong"
        with pytest.raises(RemoteProtocolError, match="not requested"):
            self.stage.says(remote.peer, message)
        self.drop(remote)

    # Our side.

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 31.0]))
    def tick(self, seconds: float) -> None:
        self.stage.tick(seconds)

    @precondition(lambda self: self.stage.port.written)
    @rule(data=st.data(), fails=st.booleans())
    def disk_answers(self, data: st.DataObject, *, fails: bool) -> None:
        at = data.draw(st.integers(0, len(self.stage.port.written) - 1))
        self.answer(at, fails=fails and data.draw(st.booleans()))

    def answer(self, at: int, *, fails: bool = False) -> None:
        piece = self.stage.port.written.pop(at)
        if fails:
            self.machine.piece_unwritten(piece.index)
        elif bytes(piece.view) == piece_data(self.stage.geometry, piece.index):
            self.machine.piece_written(piece.index)
        else:
            self.machine.piece_mismatched(piece.index)

    @rule(length=st.integers(-3, 3).map(lambda pieces: pieces * BLOCK_LENGTH))
    def other_torrents(self, length: int) -> None:
        length = max(length, -self.of_other_torrents)
        self.stage.pool.reserve(length)
        self.of_other_torrents += length

    @rule(wanted=st.integers(0, every_piece(PIECES)), first=st.integers(0, every_piece(PIECES)))
    def wish(self, wanted: int, first: int) -> None:
        """What is not wanted is given up, and comes to no disk."""
        classes = tuple(each for each in (wanted & first, wanted & ~first) if each)
        self.machine.set_priorities(PiecePriorities(wanted, classes))
        begun = [*self.download.active, *self.download.whole]
        assert all(has_piece(wanted, piece.index, PIECES) for piece in begun)

    @rule(lost=st.integers(0, every_piece(PIECES)))
    def lose_pieces(self, lost: int) -> None:
        """Nobody here understands BEP 54: who lacks what was lost is sent away."""
        had = self.need.have
        assert self.machine.lose(lost) == lost & had == had & ~self.need.have
        for remote in list(self.remotes):
            if (remote.link.closed or "").startswith("we lost"):
                assert lost & had & ~remote.peer.pieces
                self.drop(remote)

    @rule(most_blocks=st.integers(0, PIECES * BLOCKS), times=st.integers(1, 2))
    def stop_and_start(self, most_blocks: int, times: int) -> None:
        """What had come comes back, as far as there is room."""
        kept = self.download.partial_pieces(most_blocks * BLOCK_LENGTH)
        assert sum(len(piece.data) for piece in kept) <= most_blocks * BLOCK_LENGTH
        self.machine.set_state(TorrentState.STOPPED)
        for remote in list(self.remotes):
            self.drop(remote)
        room = self.stage.pool.room
        restored = self.download.restore_partial(kept * times)
        assert restored <= len(kept)
        assert self.stage.pool.room >= room - max(0, room) // 2
        if room // 2 >= len(kept) * BLOCKS * BLOCK_LENGTH:
            assert self.download.partial_pieces(1 << 30) == kept
        self.machine.go_on()

    # What always holds.

    @invariant()
    def who_waits_is_here(self) -> None:
        requester = self.download.requester
        assert {*requester.idle, *requester.starved} <= self.machine.peers.keys()

    @invariant()
    def pieces_agree(self) -> None:
        self.download.active.check_invariant()
        assert not self.need.have & self.download.active.taken

    @invariant()
    def both_sides_agree_on_what_is_owed(self) -> None:
        for remote in self.remotes:
            awaited = [
                (int(piece.index), block * BLOCK_LENGTH)
                for piece in self.download.active
                for block in range(piece.block_count)
                if piece.is_awaited_from(remote.peer.id, block)
            ]
            assert remote.peer.outstanding == len(awaited)
            assert Counter(awaited) <= Counter(remote.pending + remote.on_the_way())

    @invariant()
    def room_is_counted(self) -> None:
        active = self.download.active
        pieces = [*active, *active._at_disk.values()]
        reserved = sum(piece.length for piece in pieces)
        assert self.stage.pool.reserved_bytes == reserved + self.of_other_torrents
        for piece in pieces:
            assert (piece.view is not None) == any(piece.received)

    @invariant()
    def availability_is_counted(self) -> None:
        counts = Counter(p for r in self.remotes for p in members(r.peer.pieces, PIECES))
        found = [self.download.availability.of(piece) for piece in range(PIECES)]
        assert found == [counts[piece] for piece in range(PIECES)]

    # How it ends.

    def teardown(self) -> None:
        if self.stage is None:
            return
        self.other_torrents(-self.of_other_torrents)
        self.machine.set_priorities(PiecePriorities.everything(PIECES))
        if not self.machine.is_complete:
            seed = self.arrive(every_piece(PIECES), fast=True, honest=True)
            seed.choking = False
            self.stage.says(seed.peer, messages.UNCHOKE)
            # Nobody else does anything any more, and the seed answers all it is asked.
            for _ in range(120):
                self.stage.tick(1.0)
                self.stage.says(seed.peer, seed.read())
                while seed.pending:
                    self.send(seed, 0)
                self.stage.tick()
                while self.stage.port.written:
                    self.answer(0)
                self.both_sides_agree_on_what_is_owed()
                if self.machine.is_complete:
                    break
        assert self.machine.is_complete
        assert self.machine.state is TorrentState.SEEDING
        assert self.download.active.taken == 0
        assert self.stage.pool.reserved_bytes == 0
        assert all(remote.peer.outstanding == 0 for remote in self.remotes)


@pytest.mark.slow
class TestDownload(DownloadMachine.TestCase):
    pass
