# SPDX-License-Identifier: Apache-2.0
"""python3-h11 as a strict client: what the edge says is HTTP/1.1 to the letter, whatever the app behind it says."""
import h11
import pytest


def ask(c, connection, path, method="GET", headers=(), body=b""):
    """One request; returns (statuses of interim answers, the answer, its body), or raises what h11 finds wrong."""
    fields = [("Host", "test"), *headers, *([("Content-Length", str(len(body)))] if body else [])]
    c.send(connection.send(h11.Request(method=method, target=path, headers=fields)) +
           (connection.send(h11.Data(data=body)) if body else b"") + connection.send(h11.EndOfMessage()))
    interim, final, got = [], None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(c.s.recv(65536))
        elif isinstance(event, h11.InformationalResponse):
            interim.append(event.status_code)
        elif isinstance(event, h11.Response):
            final = event
        elif isinstance(event, h11.Data):
            got += event.data
        else:
            assert isinstance(event, h11.EndOfMessage), event
            return interim, final, got


@pytest.mark.parametrize("path, method, status, size", [
    ("/hello", "GET", 200, 5), ("/hello", "HEAD", 200, 0), ("/chunked", "GET", 200, 70008), ("/until-close", "GET", 200, 100000),
    ("/old", "GET", 200, 3), ("/nothing", "GET", 204, 0), ("/not-modified", "GET", 304, 0), ("/hints", "GET", 200, 6),
    ("/big?300000", "GET", 200, 300000), ("/events", "GET", 200, 18), ("/echo", "POST", 200, None),
    ("/wrong-path", "BREW", None, None), ("/hello", "CONNECT", None, None)])
def test_a_kept_connection_and_all_that_comes_over_it(shared, path, method, status, size):
    with shared.client() as c:
        connection = h11.Connection(h11.CLIENT)
        for _ in range(3):
            interim, final, got = ask(c, connection, path, method, body=b"x" * 1000 if method == "POST" else b"")
            assert status in (None, final.status_code) and size in (None, len(got)), (final, len(got))
            assert interim == ([103] if path == "/hints" else [])
            if connection.our_state is h11.MUST_CLOSE:
                break
            connection.start_next_cycle()
        assert connection.their_state in (h11.IDLE, h11.MUST_CLOSE, h11.CLOSED)
