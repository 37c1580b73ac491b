from __future__ import annotations

import http.client
import socket
import threading

import pytest

from millstream.native_host.local_server import HOST, MAX_ANSWER_LENGTH, LocalAddress, ask


@pytest.fixture
def server():
    """One that answers one request as `answer` says."""

    class Server:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        heard = b""

        def __init__(self):
            self.socket = socket.create_server((HOST, 0))
            self.socket.settimeout(5)
            self.port = self.socket.getsockname()[1]
            self.thread = threading.Thread(target=self.serve)
            self.thread.start()

        def serve(self):
            with self.socket.accept()[0] as connection:
                while not self.is_whole():
                    self.heard += connection.recv(4096)
                connection.sendall(self.answer)

        def is_whole(self):
            head, end, body = self.heard.partition(b"\r\n\r\n")
            return bool(end and (body or b"Content-Length" not in head))

    server = Server()
    yield server
    server.thread.join()
    server.socket.close()


def test_a_question_and_its_answer(server):
    address = LocalAddress(server.port, "secret")
    assert ask(address.port, "POST", "/x", address.authorization, b"{}", seconds=5) == (200, b"ok")
    assert server.heard.startswith(b"POST /x HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer secret\r\n" in server.heard
    assert server.heard.endswith(b"\r\n\r\n{}")


def test_no_token_goes_to_who_is_not_given_it(server):
    ask(server.port, "GET", "/health", {}, seconds=5)
    assert b"Bearer" not in server.heard


def test_of_a_long_answer_only_so_much_is_read(server):
    server.answer = b"HTTP/1.1 404 No\r\n\r\n" + bytes(MAX_ANSWER_LENGTH + 9)
    assert ask(server.port, "GET", "/", {}, seconds=5) == (404, bytes(MAX_ANSWER_LENGTH))


def test_what_is_there_is_no_server_of_http(server):
    server.answer = b"220 smtp\r\n"
    with pytest.raises(http.client.HTTPException):
        ask(server.port, "GET", "/", {}, seconds=5)


def test_nobody_is_there():
    with socket.create_server((HOST, 0)) as opened:
        port = opened.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        ask(port, "GET", "/", {}, seconds=5)
