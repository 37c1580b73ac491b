"""A client of `/io`, as plain as can be: it sends frames, and takes them one by one."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self

import aiohttp

from millstream.io_wire.envelope import (
    MAX_MESSAGE,
    Frame,
    Opcode,
    encode_frame,
    pack_frames,
    split_message,
)
from millstream.io_wire.handshake import Auth, AuthResult, Feature, Hello
from millstream.io_wire.streams import SocketData

BOTH = Feature.PACKED | Feature.CREDIT


class IoClient:
    """`async with IoClient(url, token)`; without `token` it stops before the hello."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        features: Feature | None = BOTH,
        window: int = 1 << 20,
        unix_socket: str | None = None,
        **headers: str,
    ) -> None:
        self.url = url
        self.token = token
        self.features = features
        self.window = window
        self.packed = False
        self.server_hello: Hello | None = None
        self._headers = headers
        self._frames: deque[Frame] = deque()
        connector = aiohttp.UnixConnector(unix_socket) if unix_socket else None
        self._session = aiohttp.ClientSession(connector=connector)

    async def __aenter__(self) -> Self:
        try:
            self.socket = await self._session.ws_connect(
                f"{self.url}/io", max_msg_size=MAX_MESSAGE, headers=self._headers
            )
            if self.token is not None:
                await self.introduce()
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.socket.close()
        await self._session.close()

    async def introduce(self) -> None:
        hello = b""
        if self.features is not None:
            hello = Hello(self.features, MAX_MESSAGE, self.window).encode()
        await self.send(Opcode.CLIENT_HELLO, hello)
        answer = await self.receive(Opcode.SERVER_HELLO)
        self.server_hello = Hello.parse(answer.payload)
        if self.server_hello is not None:
            self.packed = Feature.PACKED in self.server_hello.features
        await self.send(Opcode.AUTH, Auth(self.token or "").encode())
        result = AuthResult.parse((await self.receive(Opcode.AUTH_RESULT)).payload)
        assert result.is_right, result.why

    async def send(self, opcode: int, payload: bytes = b"", request: int = 0) -> None:
        await self.send_frames(encode_frame(opcode, request, payload))

    async def send_frames(self, *frames: bytes) -> None:
        await self.send_raw(pack_frames(frames) if self.packed else frames[0])

    async def send_raw(self, message: bytes) -> None:
        await self.socket.send_bytes(message)

    async def next(self) -> Frame:
        """The next frame, whatever it is."""
        async with asyncio.timeout(5):
            while not self._frames:
                message = await self.socket.receive()
                if message.type is not aiohttp.WSMsgType.BINARY:
                    raise ConnectionError(f"closed: {self.socket.close_code} {message}")
                self._frames.extend(split_message(memoryview(message.data), packed=self.packed))
        return self._frames.popleft()

    async def receive(self, *opcodes: int) -> Frame:
        """The next frame, which must be one of these."""
        frame = await self.next()
        assert frame.opcode in opcodes, (Opcode(frame.opcode), bytes(frame.payload[:200]))
        return frame

    async def receive_data(self, length: int, number: int | None = None) -> bytes:
        """So many bytes of a socket's TCP_RECV; credit that comes between is passed over."""
        data = bytearray()
        while len(data) < length:
            frame = await self.receive(Opcode.TCP_RECV, Opcode.CREDIT)
            if frame.opcode == Opcode.TCP_RECV:
                found = SocketData.parse(frame.payload)
                assert number in {None, found.socket}
                data += found.data
        return bytes(data)

    async def nothing_comes(self, time: float = 0.05) -> bool:
        """Whether no frame comes for a while."""
        try:
            async with asyncio.timeout(time):
                self._frames.append(await self.next())
        except TimeoutError:
            return True
        return False

    async def ended(self) -> int | None:
        """The code with which the server closed."""
        try:
            while True:
                await self.next()
        except ConnectionError:
            return self.socket.close_code
