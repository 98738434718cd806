# SPDX-License-Identifier: Apache-2.0
"""Wildcards, proven in the DNS: by a program of the user's, and by dynamic update of a real BIND."""
import contextlib
import ssl
import subprocess

import pytest
from certs_rig import Authority, Running, World, free_ports, listens, program, wait_until

APP = ("--health", "/up")

HOOK = """#!/bin/sh
echo "$1 $2" >> {log}
test -e {broken} && exit 3
case $1 in
present) curl -sf -d '{{"host":"'"$2"'.","value":"'"$3"'"}}' http://127.0.0.1:{port}/set-txt ;;
remove) curl -sf -d '{{"host":"'"$2"'."}}' http://127.0.0.1:{port}/clear-txt ;;
esac
"""


def test_a_hook(make_world, tmp_path):
    w = make_world()
    hook, log, broken = tmp_path / "hook", tmp_path / "hook.log", tmp_path / "broken"
    hook.write_text(HOOK.format(log=log, broken=broken, port=w.dns.management))
    hook.chmod(0o755)
    broken.touch()
    e = w.edge("--acme-dns", f"exec:{hook}", "--acme-domain", "*.team.example.org")
    e.deploy(options=(*APP, "--host", "x.team.example.org", "--host", "y.team.example.org", "--host", "*.team.example.org"))
    cert = e.wait_cert("*.team.example.org", "failed")
    assert f"{hook} present failed: it exited with 3" in cert["error"] and "present|remove NAME TEXT" in cert["hint"]
    broken.unlink()
    e.run("certs", "renew", "*.team.example.org")
    for host in ("x.team.example.org", "new.team.example.org"):  # one for all of them
        assert e.get(host, "/hello")[2] == b"hello"
    assert [c["name"] for c in e.certs()] == ["*.team.example.org"]
    assert log.read_text().splitlines()[-2:] == ["present _acme-challenge.team.example.org",
                                                 "remove _acme-challenge.team.example.org"]
    with pytest.raises(ssl.SSLError):  # two labels: another wildcard
        e.handshake("a.b.team.example.org")


ZONE = """$TTL 60
@ IN SOA ns.example.org. admin.example.org. 1 60 60 600 60
@ IN NS ns
ns IN A 127.0.0.1
* IN A 127.0.0.1
"""


class Bind:
    def __init__(self, stack, folder):
        self.port, control = free_ports(2)
        self.folder = folder
        folder.mkdir()
        self.key = folder / "update.key"
        self.key.write_text(subprocess.run([program("tsig-keygen"), "update-key"], check=True, capture_output=True,
                                           text=True).stdout)
        (folder / "other.key").write_text(subprocess.run([program("tsig-keygen"), "update-key"], check=True,
                                                         capture_output=True, text=True).stdout)
        (folder / "zone").write_text(ZONE)
        (folder / "named.conf").write_text(f"""
include "{self.key}";
options {{ directory "{folder}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    pid-file "{folder}/pid"; session-keyfile none; recursion no; allow-query {{ any; }}; dnssec-validation no; }};
controls {{ }};
zone "example.org" {{ type primary; file "{folder}/zone"; update-policy {{ grant update-key subdomain example.org. TXT; }}; }};
""")
        self.program = Running(stack, program("named"), "-g", "-c", folder / "named.conf", log=folder / "log")
        wait_until(lambda: listens(self.port), self.program.log)


@pytest.fixture
def bind(tmp_path):
    if not program("named"):
        pytest.skip("needs bind9: tools/setup.sh --test installs it")
    with contextlib.ExitStack() as stack:
        yield Bind(stack, tmp_path / "bind")


def test_dynamic_update(bind, tmp_path):
    with contextlib.ExitStack() as stack:
        w = World(stack, tmp_path)
        w.ca.program.stop()
        w.ca = Authority(stack, tmp_path, bind.port, w.http_port, w.tls_port)
        e = w.edge("--acme-domain", "*.example.org", "--acme-dns",
                   f"rfc2136:server=127.0.0.1:{bind.port},wait=0,key={bind.folder}/other.key")
        cert = e.wait_cert("*.example.org", "failed")
        assert "refuses to change the zone example.org: BADSIG" in cert["error"] and "key" in cert["hint"], cert
        e.stop()
        e = w.edge("--acme-domain", "*.example.org", "--acme-domain", "example.org", "--acme-challenge", "dns-01",
                   "--acme-dns", f"rfc2136:server=127.0.0.1:{bind.port},wait=0,key={bind.key}")
        e.deploy(options=APP)
        e.wait_cert("*.example.org")
        e.wait_cert("example.org")
        assert e.get("any.example.org", "/hello")[2] == b"hello" and e.get("example.org", "/hello")[2] == b"hello"
        assert bind.program.log().count("adding an RR at '_acme-challenge.example.org' TXT") == 2
        assert bind.program.log().count("deleting an RR at _acme-challenge.example.org TXT") == 2
