# SPDX-License-Identifier: Apache-2.0
"""`--kind http2` is tested with servers that lie, by python3-h2."""
import socket

import h2.config
import h2.connection
import h2.events
import lying_server
import pytest

FAULTS = ["lost", "truncated", "wrong", "reordered", "refused", "doubled", "unseen"]
GOOD = b"right " * 50


class Liar(lying_server.Liar):
    """Answers requests of HTTP/1.1 rightly, the n-th of HTTP/2 by answer(connection, stream, n); True: the connection
    ends."""

    def _serve(self, s):
        with s:
            try:
                if s.recv(3, socket.MSG_PEEK) != b"PRI":
                    s.recv(65536)
                    s.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD))
                    return
                self._serve_h2(s)
            except OSError:
                pass

    def _serve_h2(self, s):
        c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        c.initiate_connection()
        end = False
        while not end:
            s.sendall(c.data_to_send())
            data = s.recv(65536)
            if not data:
                return
            for e in c.receive_data(data):
                if isinstance(e, h2.events.RequestReceived):
                    with self.lock:
                        self.count += 1
                        n = self.count
                    end = self.answer(c, e.stream_id, n) or end
        s.sendall(c.data_to_send())


def right(c, stream, _n=0, body=GOOD, status="200"):
    c.send_headers(stream, [(":status", status)])
    c.send_data(stream, body, end_stream=True)


def half(c, stream, n):
    c.send_headers(stream, [(":status", "200")])
    c.send_data(stream, GOOD[:10])
    c.reset_stream(stream, 2)


LIES = {
    "truncated": half,
    "lost": lambda c, stream, n: c.reset_stream(stream, 7),
    "wrong": lambda c, stream, n: right(c, stream, body=GOOD[:-1] + b"?"),
    "refused": lambda c, stream, n: right(c, stream, status="503"),
}


@pytest.fixture
def liar():
    running = []

    def start(lie):
        running.append(Liar(lie))
        return running[-1]
    yield start
    for one in running:
        one.close()


def run(prove, server, *more):
    status, report, errors = prove(server.url, "-k", "http2:2", "--seconds", "1", "--interval", "20",
                                   "--stale", "0", *more)
    assert report, errors
    return status, next(k for k in report["kinds"] if k["kind"] == "http2")


@pytest.mark.parametrize("fault", LIES)
def test_a_lie_is_seen_and_named_and_nothing_else(liar, prove, fault):
    status, kind = run(prove, liar(lambda c, stream, n: (LIES[fault] if n == 11 else right)(c, stream, n) and None))
    assert status == 1 and kind[fault] == 1 and kind["ok"] == kind["requests"] - 1 > 10, kind
    assert not any(kind.get(other) for other in FAULTS if other != fault), kind
    assert kind["connections_opened"] == 2  # a stream is not its connection


def test_a_short_answer_and_a_connection_that_ends(liar, prove):
    status, kind = run(prove, liar(lambda c, stream, n: right(c, stream, body=GOOD[:-5 if n == 9 else None]) or n == 20))
    assert status == 1 and kind["wrong"] == 1 and kind["connections_opened"] >= 3, kind
    assert kind["ok"] + kind["wrong"] + kind["lost"] == kind["requests"]


def test_streams_are_answered_in_any_order(liar, prove):
    waiting = {}

    def backwards(c, stream, n):
        waiting.setdefault(id(c), []).append(stream)
        if len(waiting[id(c)]) == 4:
            for one in reversed(waiting.pop(id(c))):
                right(c, one)
    status, kind = run(prove, liar(backwards), "--depth", "4")
    assert status == 0 and kind["ok"] == kind["requests"] > 10, kind


def test_going_away_is_an_announcement(liar, prove):
    def away(c, stream, n):
        right(c, stream)
        if n == 12:
            c.close_connection(last_stream_id=stream)
    status, kind = run(prove, liar(away), "--depth", "1")
    assert status == 0 and kind["connections_told_to_close"] == 1, kind
    assert kind["connections_opened"] == 3


def test_what_an_ended_connection_had_to_say_is_not_said_on_the_next(liar, prove):
    """PING and the first GOAWAY with the answer: the client closes, and its answer to PING goes with the connection."""
    def away(c, stream, n):
        right(c, stream)
        if n % 3 == 0:
            c.ping(b"shutdown")
            c._data_to_send += b"\0\0\10\7\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0"
    status, kind = run(prove, liar(away), "--depth", "1")
    assert status == 0 and kind["connections_told_to_close"] > 3, kind


def test_what_goes_away_unanswered_is_lost(liar, prove):
    status, kind = run(prove, liar(lambda c, stream, n: c.close_connection(last_stream_id=0) if n == 9
                                   else right(c, stream)), "--depth", "1")
    assert status == 1 and kind["lost"] == 1 and kind["ok"] == kind["requests"] - 1, kind


def test_the_backend_behind_the_edge_is_counted_on_both_sides(app, prove, tmp_path):
    import sys
    import pathlib
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "edge"))
    from edge_rig import Edge
    backend = app("--ledger", tmp_path / "ledger")
    edge = Edge(tmp_path, "--grace", "2")
    try:
        edge.run("deploy", "p", "--to", f"127.0.0.1:{backend.port}", "--health", "/up")
        status, report, errors = prove("--app", "--post", f"http://127.0.0.1:{edge.port}/", "-k", "http2:3", "--seconds", "1",
                                       "--depth", "10", "--interval", "50")
        assert status == 0 and report["clean"] and report["counted_on_both_sides"], (report, errors)
    finally:
        edge.stop()
