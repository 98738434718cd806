# SPDX-License-Identifier: Apache-2.0
"""python3-h11 as a second opinion on request streams.

Well-formed streams must give the same requests. Streams that were damaged may be refused by us where h11 is lenient, but
every request that we accept must be exactly the one h11 sees at the same place, down to the last byte of its body: a
difference there is what request smuggling is made of."""
import random
import socket

import h11
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

TOKEN = "!#$%&'*+-.^_`|~0123456789abcXYZ"
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]
# Pieces that a damaging hand would put in.
POISON = [b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b",", b";", b"\x0b", b"\x85", b"\xff", b"0", b"1", b"+", b"-",
          b"Content-Length: 0\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: x\r\n",
          b"Transfer-Encoding: gzip\r\n", b" HTTP/1.1", b"HTTP/1.0", b"0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
          b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"Transfer-Encoding: identity\r\n"]

tokens = st.text(TOKEN, min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7e), max_size=20)
targets = st.builds(lambda path, query: "/" + path + query,
                    st.text("abc/._~-%20:@!$&'()*+,;=", max_size=20),
                    st.sampled_from(["", "?", "?a=b&c=d", "?x=%00&y=/?:", "?sql=select+1"]))
bodies = st.binary(max_size=60)
FRAMING = {"content-length", "transfer-encoding", "connection", "host", "expect"}


@st.composite
def requests(draw):
    method, target, body = draw(st.sampled_from(METHODS)), draw(targets), draw(bodies)
    lines = [f"{method} {target} HTTP/1.1", "Host: " + draw(st.sampled_from(["h", "a.b:80", "[::1]:8001"]))]
    for name, value in draw(st.lists(st.tuples(tokens, values), max_size=4)):
        if name.lower() not in FRAMING:
            lines.append(f"{name}:{draw(st.sampled_from(['', ' ', '  ', chr(9)]))}{value}{draw(st.sampled_from(['', ' ']))}")
    kind = draw(st.sampled_from(["none", "length", "chunked"]))
    if kind == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif kind == "chunked":
        lines.append(draw(st.sampled_from(["Transfer-Encoding: chunked", "transfer-encoding:Chunked"])))
    data = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    if kind == "length":
        data += body
    elif kind == "chunked":
        while body:
            n = draw(st.integers(1, len(body)))
            data += f"{n:x}{draw(st.sampled_from(['', ';a', ';a=b']))}\r\n".encode() + body[:n] + b"\r\n"
            body = body[n:]
        data += b"0\r\n" + draw(st.sampled_from([b"", b"Trailer: x\r\n"])) + b"\r\n"
    return data


def h11_reads(data):
    """[(method, target, headers, body)], and how it ended: done, partial or error."""
    conn = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    conn.receive_data(data)
    seen = []
    try:
        while True:
            event = conn.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                left = conn.trailing_data[0]
                return seen, "partial" if left or conn.their_state is h11.SEND_BODY else "done"
            if isinstance(event, h11.Request):
                head = (event.method.decode("latin-1"), event.target.decode("latin-1"),
                        [(k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in event.headers])
                body = b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                seen.append((*head, body))
                conn.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                conn.send(h11.EndOfMessage())
                if conn.our_state is h11.MUST_CLOSE:
                    return seen, "done"
                conn.start_next_cycle()
            elif isinstance(event, h11.ConnectionClosed):
                return seen, "done"
    except h11.RemoteProtocolError:
        return seen, "error"


def take_response(data):
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    if status == 100:
        return take_response(rest)
    length = next(int(line.split(": ")[1]) for line in lines if line.startswith("content-length: "))
    return status, rest[:length], rest[length:]


def we_read(server, data):
    """The same of our server, by way of its /echo, and the status it refused with, if any."""
    with socket.create_connection(server.address) as sock:
        sock.settimeout(20)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while more := sock.recv(65536):
                got += more
        except ConnectionResetError:
            pass
    seen = []
    while got:
        status, text, got = take_response(got)
        if status != 200:
            return seen, status
        lines, body = text.split(b"\n\n", 1)
        lines = lines.decode("latin-1").split("\n")
        plain = dict(line.split(" ", 1) for line in lines if not line.startswith("> "))
        headers = [tuple(line[2:].split(": ", 1)) for line in lines if line.startswith("> ")]
        assert len(body) == int(plain["body"])
        headers = [(k.lower(), v.lower() if k.lower() == "transfer-encoding" else v) for k, v in headers]  # as h11 does
        seen.append((plain["method"], plain["target"], headers, body))
    return seen, None


@pytest.fixture(scope="module")
def echo():
    from conftest import Server
    server = Server("echo=1", "linger_ms=100")
    yield server
    server.stop()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(requests(), min_size=1, max_size=4))
def test_well_formed_streams_give_the_same(echo, parts):
    data = b"".join(parts)
    theirs, end = h11_reads(data)
    assert end == "done" and len(theirs) == len(parts)
    assert we_read(echo, data) == (theirs, None)


def damaged(seed):
    random_ = random.Random(seed)
    pieces = []
    for _ in range(random_.randint(1, 3)):
        body = bytes(random_.choice(b"abc01\r\n") for _ in range(random_.randint(0, 8)))
        lines = [f"{random_.choice(METHODS)} /{random_.choice(['', 'a', 'b?c'])} HTTP/1.1".encode(), b"Host: h"]
        if random_.random() < 0.3:
            lines.append(b"X-A: " + random_.choice([b"b", b"", b"chunked"]))
        kind = random_.randint(0, 2)
        if kind == 1:
            lines.append(b"Content-Length: %d" % len(body))
        elif kind == 2:
            lines.append(b"Transfer-Encoding: chunked")
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        pieces.append(b"\r\n".join(lines) + b"\r\n\r\n" + (body if kind else b""))
    data = bytearray(b"".join(pieces))
    for _ in range(random_.randint(1, 3)):
        at = random_.randrange(len(data))
        action = random_.randint(0, 3)
        if action == 0:
            del data[at:at + random_.randint(1, 3)]
        elif action == 1:
            data[at:at] = random_.choice(POISON)
        elif action == 2:
            data[at:at + 1] = random_.choice(POISON)
        else:  # whole lines are where the interesting damage is
            ends = [i + 2 for i in range(len(data) - 1) if data[i:i + 2] == b"\r\n"] or [0]
            at = random_.choice(ends)
            data[at:at] = random_.choice(POISON)
    return bytes(data)


def test_damaged_streams_never_give_another_request(echo):
    accepted = refused = 0
    for seed in range(5000):
        data = damaged(seed)
        theirs, end = h11_reads(data)
        ours, status = we_read(echo, data)
        # An empty line before a request is let pass by us (RFC 9112 section 2.2); h11 refuses it.
        if end == "error" and len(ours) > len(theirs):
            shown, _ = h11_reads(b"".join(skip_empty_lines(data)))
            theirs = shown
        assert ours == theirs[:len(ours)], (seed, data, ours, theirs, end, status)
        accepted += len(ours)
        refused += status is not None
    assert accepted > 1000 and refused > 1000


def skip_empty_lines(data):
    """The stream cut into its requests, each without the CRLF before it, as far as our rule goes."""
    conn_at = 0
    while conn_at < len(data):
        if data[conn_at:conn_at + 2] == b"\r\n":
            conn_at += 2
        rest = data[conn_at:]
        for n in range(1, len(rest) + 1):
            seen, end = h11_reads(rest[:n])
            if len(seen) == 1 and end == "done":
                break
        yield rest[:n]
        conn_at += n
