from __future__ import annotations

from millstream.adapters.daemon.outbox import JOINED_LENGTH, Outbox
from millstream.io_wire.envelope import split_message


class Sending:
    def __init__(self):
        self.messages = []
        self.is_busy = False
        self.woken = 0
        self.only_one = False
        self.outbox = Outbox(self.send, lambda: self.is_busy, self.wake)

    def send(self, buffers):
        self.messages.append(buffers)
        self.is_busy = self.only_one

    def wake(self):
        self.woken += 1

    def frames(self):
        whole = [memoryview(b"".join(message)) for message in self.messages]
        return [
            [(frame.opcode, frame.request, bytes(frame.payload)) for frame in frames]
            for frames in (list(split_message(message, packed=True)) for message in whole)
        ]


def test_what_is_put_in_one_turn_is_one_message():
    sending = Sending()
    for number in range(3):
        sending.outbox.put(1, number, [b"a", bytearray(b"b")])
    assert sending.woken == 3
    assert not sending.messages
    sending.outbox.flush()
    assert sending.frames() == [[(1, 0, b"ab"), (1, 1, b"ab"), (1, 2, b"ab")]]
    assert sending.outbox.unsent_bytes == 0


def test_short_frames_are_copied_at_once():
    sending = Sending()
    data = bytearray(b"before")
    sending.outbox.put(1, 0, [data])
    data[:] = b"behind"
    sending.outbox.flush()
    assert sending.frames() == [[(1, 0, b"before")]]


def test_long_frames_are_borrowed_and_go_alone():
    sending = Sending()
    data = bytearray(100)
    sending.outbox.put_long(1, 7, [b"head", data])
    sending.outbox.put_long(1, 8, [data])
    sending.outbox.flush()
    assert len(sending.messages) == 2
    assert sending.messages[0][-1] is data


def test_messages_have_a_bound():
    sending = Sending()
    for number in range(10):
        sending.outbox.put(1, number, [bytes(JOINED_LENGTH // 3)])
    sending.outbox.flush()
    assert all(sum(map(len, each)) <= JOINED_LENGTH for each in sending.messages)
    assert [request for message in sending.frames() for _, request, _ in message] == list(range(10))


def test_one_that_is_too_long_for_the_bound_still_goes():
    sending = Sending()
    sending.outbox.put(1, 0, [bytes(JOINED_LENGTH + 1)])
    sending.outbox.flush()
    assert len(sending.messages) == 1


def test_short_and_long_take_turns():
    sending = Sending()
    sending.only_one = True
    for number in range(3):
        sending.outbox.put_long(2, number, [b"long"])
    for _ in range(6):
        sending.outbox.put(1, 9, [b"short"])
        sending.is_busy = False
        sending.outbox.flush()
    kinds = [{opcode for opcode, _, _ in message} for message in sending.frames()]
    assert kinds == [{1}, {2}, {1}, {2}, {1}, {2}]


def test_nothing_is_sent_while_the_connection_is_busy():
    sending = Sending()
    sending.is_busy = True
    sending.outbox.put(1, 0, [b"x"])
    sending.outbox.put_long(1, 0, [b"y"])
    sending.outbox.flush()
    assert not sending.messages
    assert sending.outbox.unsent_bytes == 26
    sending.is_busy = False
    sending.outbox.flush()
    assert len(sending.messages) == 2
    assert sending.outbox.unsent_bytes == 0
