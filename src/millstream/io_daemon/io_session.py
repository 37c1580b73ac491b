"""One client at `/io`: hello, hello, token; then frames in both directions until it goes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from millstream.errors import MalformedFrameError, NetworkError
from millstream.http_server.refusal import Refusal
from millstream.io_daemon.counters import Counters
from millstream.io_daemon.disk_batches import DiskBatches, Parts
from millstream.io_daemon.failures import refusal_of
from millstream.io_daemon.file_calls import Task
from millstream.io_daemon.io_calls import IoCalls
from millstream.io_daemon.outbox import Outbox
from millstream.io_daemon.socket_table import SocketTable, Streams
from millstream.io_daemon.stream_socket import SEND_WINDOW
from millstream.io_daemon.web_messages import Memory
from millstream.io_daemon.web_socket import WebSocket
from millstream.io_wire.batches import unpack_spans, unpack_writes
from millstream.io_wire.calls import encode_call, parse_call
from millstream.io_wire.envelope import MAX_MESSAGE, VERSION, Frame, Opcode, split_message
from millstream.io_wire.handshake import Auth, AuthResult, Feature, Hello
from millstream.io_wire.web_frames import INTERNAL_ERROR, NORMAL, POLICY_VIOLATION
from millstream.logging.component_logger import component_logger

# Bytes of writes and reads that may wait for the disk before nothing more is taken from the
# connection, sockets included. A client that keeps to it is never held up; libtorrent's queue of
# writes has 1 MiB, and 32 MiB are what a disk of 300 MB/s does in 100 ms.
BATCH_WINDOW = 32 << 20

# What a client must be able to take: the longest TCP_RECV, and errors. Of a longer limit, what is
# not the data of an answer to reads.
MIN_MESSAGE = 1 << 20
MESSAGE_OVERHEAD = 64 << 10

# Seconds for hello and token.
AUTH_TIME = 15.0

# Calls in progress; more are refused.
MAX_CALLS = 256

# The longest message before the token was right: hellos and tokens are short.
MAX_FIRST_MESSAGE = 64 << 10

# Seconds for what waits to be sent when it ends, and for the client to go, too.
LAST_WORDS_TIME = 5.0
GOODBYE_TIME = 1.0

_LOG = component_logger("io_daemon")


class _EndError(Exception):
    """The client has broken the protocol so that there is no way on; it is told why."""


class IoSession:
    """Serves one connection.

    Args:
        check_token: raises Refusal.
        counters: what is lent.
        batches: carries out batches.
        calls: carries out calls.
        network: gives streams.
    """

    def __init__(
        self,
        check_token: Callable[[str], None],
        counters: Counters,
        batches: DiskBatches,
        calls: IoCalls,
        network: Streams,
    ) -> None:
        self._socket: WebSocket | None = None
        self._memory: Memory | None = None  # of the message in hand, if it can be held
        # The code that the client is told, None if it knows already; and why.
        self._ended: asyncio.Future[tuple[int | None, str]]
        self._ended = asyncio.get_running_loop().create_future()
        self._check_token = check_token
        self._counters = counters
        self._batches = batches
        self._calls = calls
        self._network = network
        self._outbox = Outbox(self._send, self._full_changed, self._send_now)
        self._hello: Hello | None = None
        self._said_hello = False
        self._packed = False
        self._max_message = MAX_MESSAGE
        self._table: SocketTable | None = None
        self._tasks: dict[asyncio.Task[None], tuple[int, Task]] = {}
        self._batch_bytes = 0

    async def run(self, connected: socket.socket) -> None:
        """Until the client goes, or has to.

        Args:
            connected: to the client, after the handshake; non-blocking, and closed at the end.
        """
        web_socket = WebSocket(connected, self._receive, self.end, MAX_FIRST_MESSAGE)
        self._socket = web_socket
        sending = asyncio.ensure_future(self._outbox.run())
        sending.add_done_callback(self._sending_ended)
        deadline = asyncio.get_running_loop().call_later(AUTH_TIME, self._time_is_over)
        code: int | None = None
        why = ""
        try:
            code, why = await self._ended
            if code is not None and why:
                self._outbox.put(Opcode.ERROR, 0, why.encode())
        finally:
            deadline.cancel()
            self._free()
            self._outbox.close()
            try:
                async with asyncio.timeout(LAST_WORDS_TIME):
                    await sending
            except Exception as error:  # noqa: BLE001 - it ends in any case
                _LOG.debug("a client of /io was not sent all that waited: %r", error)
            sending.cancel()
            try:
                async with asyncio.timeout(GOODBYE_TIME):
                    await web_socket.close(NORMAL if code is None else code, why)
            except Exception as error:  # noqa: BLE001 - it ends in any case
                _LOG.debug("a client of /io did not say goodbye: %r", error)
            web_socket.abort()

    def end(self, code: int | None, why: str = "") -> None:
        """End it: with a code of RFC 6455 for the client, or None if it is gone; and why."""
        if not self._ended.done():
            self._ended.set_result((code, why))

    def tell_roots(self, roots: dict[str, Any]) -> None:
        """The roots have changed."""
        if self._table is not None:
            self._outbox.put(Opcode.ROOTS_CHANGED, 0, encode_call(roots))

    def _free(self) -> None:
        if self._table is not None:
            self._table.close()
        for task, (_, call) in self._tasks.items():
            call.stop()
            task.cancel()

    def _sending_ended(self, sending: asyncio.Future[None]) -> None:
        if not sending.cancelled() and sending.exception() is not None:
            self.end(None)

    def _time_is_over(self) -> None:
        """Who has not said the token by now is not worth a goodbye."""
        if self._table is None and self._socket is not None:
            self._socket.abort()
            self.end(None)

    async def _send(self, message: bytes) -> None:
        if self._socket is not None:
            await self._socket.send(message)

    def _send_now(self, buffers: Parts) -> bool:
        return self._socket is not None and self._socket.send_now(buffers)

    def _full_changed(self) -> None:
        self._make_room()
        if self._table is not None:
            self._table.update_reading()

    # Messages.

    def _receive(self, message: memoryview, memory: Memory | None) -> None:
        self._memory = memory
        try:
            for frame in split_message(message, packed=self._packed):
                self._handle(frame)
        except _EndError as error:
            self.end(POLICY_VIOLATION, str(error))
        except MalformedFrameError as error:
            if self._packed:
                # What came after it in the message is lost, perhaps a part of a stream.
                self.end(POLICY_VIOLATION, str(error))
            else:
                self._outbox.put(Opcode.ERROR, 0, str(error).encode())
        except Exception:  # noqa: BLE001 - the last resort: one client must not end the others
            _LOG.exception("a client of /io failed")
            self.end(INTERNAL_ERROR)
        # Also who asks and does not read the answers has to wait.
        if self._socket is not None and (self._ended.done() or not self._has_room()):
            self._socket.pause()

    def _has_room(self) -> bool:
        return max(self._batch_bytes, self._outbox.waiting_bytes) <= BATCH_WINDOW

    def _make_room(self) -> None:
        """Some of what waited is done: go on, if that is enough."""
        if self._socket is not None and not self._ended.done() and self._has_room():
            self._socket.resume()

    def _handle(self, frame: Frame) -> None:
        if frame.version != VERSION:
            raise _EndError(f"version {frame.version} is not known here; it is {VERSION}")
        try:
            if self._table is None:
                self._introduce(frame)
            else:
                self._carry_out(frame, self._table)
        except (MalformedFrameError, NetworkError) as error:
            self._outbox.put(Opcode.ERROR, frame.request, str(error).encode())
            if self._table is None:
                raise _EndError(str(error)) from None

    def _introduce(self, frame: Frame) -> None:
        """The frames before the token was right."""
        if frame.opcode == Opcode.CLIENT_HELLO and not self._said_hello:
            self._said_hello = True
            self._hello = Hello.parse(frame.payload)
            answer = b""
            if self._hello is not None:
                if self._hello.max_message < MIN_MESSAGE:
                    raise MalformedFrameError(f"messages must have {MIN_MESSAGE} bytes at least")
                self._max_message = self._hello.max_message - MESSAGE_OVERHEAD
                ours = Hello(self._hello.features, MAX_MESSAGE, SEND_WINDOW, BATCH_WINDOW)
                answer = ours.encode()
            self._outbox.put(Opcode.SERVER_HELLO, frame.request, answer)
            if self._hello is not None and self._hello.features & Feature.PACKED:
                self._packed = self._outbox.packed = True
        elif frame.opcode == Opcode.AUTH and self._said_hello:
            self._authenticate(frame)
        else:
            raise _EndError(f"opcode {frame.opcode:#04x} comes before hello and token")

    def _authenticate(self, frame: Frame) -> None:
        auth = Auth.parse(frame.payload)
        try:
            self._check_token(auth.token)
        except Refusal as refusal:
            _LOG.warning("a client of /io was refused: %s", refusal)
            result = AuthResult(False, str(refusal))
            self._outbox.put(Opcode.AUTH_RESULT, frame.request, result.encode())
            raise _EndError(str(refusal)) from None
        hello = self._hello
        credit = hello is not None and Feature.CREDIT in hello.features
        window = hello.socket_window if hello is not None and credit else None
        self._table = SocketTable(self._network, self._outbox, self._counters, window)
        self._outbox.put(Opcode.AUTH_RESULT, frame.request, AuthResult(True).encode())
        if self._socket is not None:
            self._socket.take_up_to(MAX_MESSAGE)

    def _carry_out(self, frame: Frame, table: SocketTable) -> None:
        handler = table.handlers.get(frame.opcode)
        if handler is not None:
            handler(frame)
            return
        match frame.opcode:
            case Opcode.WRITE_BATCH | Opcode.WRITE_EXISTING_BATCH:
                memory = self._memory or Memory(memoryview(bytes(frame.payload)))
                memory.hold()
                writes = unpack_writes(frame.payload if self._memory else memory.view)
                length = sum(len(record.data) for record in writes.records)
                self._counters.bytes_written += length
                answer = self._promise(Opcode.WRITE_RESULTS, frame.request, length, memory)
                self._count(len(writes.records))
                may_create = frame.opcode == Opcode.WRITE_BATCH
                self._batches.write(writes, answer, may_create=may_create)
            case Opcode.READ_BATCH:
                reads = unpack_spans(frame.payload)
                length = sum(record.length for record in reads.records)
                self._count(len(reads.records))
                answer = self._promise(Opcode.READ_RESULTS, frame.request, length)
                self._batches.read(reads, answer, self._max_message - len(frame.payload))
            case Opcode.HASH_BATCH:
                hashes = unpack_spans(frame.payload)
                self._count(len(hashes.records))
                answer = self._promise(Opcode.HASH_RESULTS, frame.request, 0)
                self._batches.hash(hashes, answer)
            case Opcode.CALL:
                self._call(frame)
            case _:
                raise MalformedFrameError(f"opcode {frame.opcode:#04x} is not known here")

    # Batches.

    def _count(self, jobs: int) -> None:
        self._counters.batches += 1
        self._counters.jobs += jobs

    def _promise(
        self, opcode: Opcode, request: int, length: int, memory: Memory | None = None
    ) -> Callable[[Parts], None]:
        """What to do with the answer to a batch of so many bytes, and the memory that it holds."""
        self._batch_bytes += length

        def answer(parts: Parts) -> None:
            self._batch_bytes -= length
            self._outbox.put_parts(opcode, request, parts)
            if memory is not None:
                memory.let_go()
            self._make_room()

        return answer

    # Calls.

    def _call(self, frame: Frame) -> None:
        call = parse_call(frame.payload)
        request = frame.request
        if call.get("op") == "cancel":
            for known, task in self._tasks.values():
                if known == call.get("request"):
                    task.stop()
            self._answer(request, {"ok": True})
            return
        if call.get("op") == "release":
            # Before the next frame: the files are about to be others.
            self._release(request, call)
            return
        if len(self._tasks) >= MAX_CALLS:
            busy = Refusal(503, "Busy", f"{MAX_CALLS} calls are in progress already")
            self._answer(request, busy.body())
            return
        task = Task(lambda length: self._answer(request, {"progress": length}))
        running = asyncio.ensure_future(self._run_call(request, call, task))
        self._tasks[running] = request, task
        running.add_done_callback(self._tasks.pop)

    def _release(self, request: int, call: dict[str, Any]) -> None:
        try:
            self._calls.release(call)
        except Refusal as refusal:
            self._answer(request, refusal.body())
        else:
            self._answer(request, {"ok": True})

    async def _run_call(self, request: int, call: dict[str, Any], task: Task) -> None:
        try:
            answer = {"ok": True, **await self._calls.carry_out(call, task)}
        except Exception as error:  # noqa: BLE001 - the last resort: every call is answered
            refusal = refusal_of(error)
            if refusal is None:
                _LOG.error("the call %.80r failed", call.get("op"), exc_info=error)
                refusal = Refusal(500, "InternalError", "an error of the daemon; its log has it")
            answer = refusal.body()
        self._answer(request, answer)

    def _answer(self, request: int, answer: dict[str, Any]) -> None:
        self._outbox.put(Opcode.ANSWER, request, encode_call(answer))
