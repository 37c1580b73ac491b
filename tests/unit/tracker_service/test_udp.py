from __future__ import annotations

import random

from millstream.tracker.connection_id import ConnectionIds
from millstream.tracker.registry import Registry
from millstream.tracker.udp_packets import pack_connect_request, parse_response
from millstream.tracker.udp_tracker import UdpTracker
from millstream.tracker_service.udp import UdpServer

IDS = ConnectionIds(b"s" * 32)


class Transport:
    def __init__(self):
        self.sent = []

    def sendto(self, data, address):
        self.sent.append((data, address))


def started():
    server = UdpServer(UdpTracker(Registry(), IDS, random.Random(1)), lambda: 5.0)
    transport = Transport()
    server.connection_made(transport)
    return server, transport


def test_an_answer_goes_where_the_request_came_from():
    server, transport = started()
    address = ("fe80::1%eth0", 7, 0, 2)
    server.datagram_received(pack_connect_request(9), address)
    [(data, back)] = transport.sent
    assert back == address
    assert parse_response(data, ipv6=True).connection == IDS.issue("fe80::1", 5.0)


def test_nonsense_is_not_answered():
    server, transport = started()
    server.datagram_received(b"hello", ("192.0.2.1", 7))
    server.error_received(OSError("nobody there"))
    assert transport.sent == []


def test_answers_are_dropped_while_the_kernel_takes_none():
    server, transport = started()
    server.pause_writing()
    server.datagram_received(pack_connect_request(9), ("192.0.2.1", 7))
    assert transport.sent == []
    server.resume_writing()
    server.datagram_received(pack_connect_request(9), ("192.0.2.1", 7))
    assert len(transport.sent) == 1
