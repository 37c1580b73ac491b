"""RC4 in pure Python, for platforms without a compiled one.

MSE is its only use here. Some megabytes a second: enough for handshakes, simulations and a browser
tab; the native adapter has a compiled one.
"""

from __future__ import annotations


class Rc4:
    """One direction of an RC4 stream: implements `protocol.mse_keys.StreamCipher`.

    Args:
        key: 1 to 256 bytes.
    """

    __slots__ = ("_i", "_j", "_state")

    def __init__(self, key: bytes) -> None:
        state = list(range(256))
        j = 0
        for i in range(256):
            j = (j + state[i] + key[i % len(key)]) & 255
            state[i], state[j] = state[j], state[i]
        self._state = state
        self._i = self._j = 0

    def update(self, data: bytes | bytearray | memoryview, /) -> bytes:
        """Encrypt or decrypt what follows in the stream."""
        length = len(data)
        mixed = int.from_bytes(data, "little") ^ int.from_bytes(self._keystream(length), "little")
        return mixed.to_bytes(length, "little")

    def update_into(
        self, data: bytes | bytearray | memoryview, into: bytearray | memoryview, /
    ) -> int:
        """The same into a buffer, which may be the data's own; returns the length."""
        length = len(data)
        into[:length] = self.update(data)
        return length

    def _keystream(self, length: int) -> bytearray:
        state, i, j = self._state, self._i, self._j
        stream = bytearray(length)
        for at in range(length):
            i = (i + 1) & 255
            near = state[i]
            j = (j + near) & 255
            far = state[j]
            state[i], state[j] = far, near
            stream[at] = state[(near + far) & 255]
        self._i, self._j = i, j
        return stream
