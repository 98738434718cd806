# SPDX-License-Identifier: Apache-2.0
"""A hub on its own domain: one certificate for it, one for all of its spaces, from two commands."""
import http.client
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import urllib.parse

import serving
from certs_rig import wait_until
from test_dns import HOOK


def test_a_hub_with_certificates(make_world, tmp_path):
    w = make_world()
    folder, hook = tmp_path / "hub", tmp_path / "hook"
    hook.write_text(HOOK.format(log=tmp_path / "hook.log", broken=tmp_path / "broken", port=w.dns.management))
    hook.chmod(0o755)
    code, _, err = serving.run("hub", "init", "--domain", "data.example.org", "--dir", folder, "--acme", "nobody")
    assert code and "one mail address" in err
    code, out, err = serving.run("hub", "init", "--domain", "data.example.org", "--dir", folder, "--listen",
                                 f"127.0.0.1:{w.http_port}", "--listen-tls", f"127.0.0.1:{w.tls_port}", "--acme",
                                 "admin@example.org")
    assert code == 0, err
    config = folder / "hub.yaml"
    whole = config.read_text()
    assert 'acme: {mail: "admin@example.org", agree: true}' in whole
    for line, text in (("acme: {mail: 5, agree: true}", "must be a text"), ("acme: {male: x}", "no key of it"),
                       ("acme: {mail: a@b.org}", "--acme-agree"), ("acme: yes", "keys and values")):
        config.write_text(whole.replace('acme: {mail: "admin@example.org", agree: true}', line))
        code, _, err = serving.run("up", "--dir", folder)
        assert code and text in err and "hub.yaml" in err, err
    config.write_text(whole.replace("agree: true}", f'agree: true, directory: "{w.ca.directory}", ca: "{w.ca.ca}", '
                                                    f'dns: "exec:{hook}"}}'))
    with open(tmp_path / "up.log", "ab") as log:
        up = subprocess.Popen([serving.PROGRAM, "up", "--dir", folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                              env={**os.environ})
    try:
        def ask(host):
            context = ssl.create_default_context(cafile=str(w.ca.root))
            c = http.client.HTTPConnection(host)
            c.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", w.tls_port), timeout=120),
                                         server_hostname=host)
            c.request("GET", "/-/health")
            status = c.getresponse().status
            c.close()
            return status

        def fine(host):
            try:
                return ask(host)
            except OSError:
                return None
        assert wait_until(lambda: fine("data.example.org") == 200, (tmp_path / "up.log").read_text, 60)
        assert wait_until(lambda: fine("anything.data.example.org"), (tmp_path / "up.log").read_text, 60) == 404
        _, listed, _ = serving.run("certs", "--state", folder / "edge")
        assert "data.example.org" in listed and "*.data.example.org" in listed

        # Owners of a space read how it stands with the certificates of its hosts.
        origin = re.search(r"^origin: (\S+)", config.read_text(), re.M).group(1)
        cookies = {}

        def browse(method, path, **form):
            context = ssl.create_default_context(cafile=str(w.ca.root))
            c = http.client.HTTPConnection("data.example.org")
            c.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", w.tls_port), timeout=120),
                                         server_hostname="data.example.org")
            c.request(method, path, urllib.parse.urlencode(form), {
                "Content-Type": "application/x-www-form-urlencoded", "Origin": origin, "Sec-Fetch-Site": "same-origin",
                "Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())})
            answer = c.getresponse()
            for one in answer.headers.get_all("set-cookie", []):
                name, _, value = one.split(";")[0].partition("=")
                cookies[name] = value
            text = answer.read().decode()
            c.close()
            return answer.status, text

        token = re.search(r"admin-link\?token=(\S+)", out).group(1)
        assert browse("POST", "/-/admin-link", token=token, email="a@example.org", password="four words in a row")[0] == 303
        db = sqlite3.connect(folder / "hub.db", timeout=60)
        with db:  # adding them by the page needs name servers that know them
            db.execute("insert into spaces (id, name, title, state, created_at) values ('s1', 'museum', 'Museum', 'live', 1)")
            db.executemany("insert into domains values (?, 's1', 1)", [("www.data.example.org",), ("a.b.example.com",)])
        db.close()
        status, page = browse("GET", "/spaces/museum/domains")
        assert status == 200 and "https works. The certificate is good until 20" in page, page
        assert "The certificate is on its way" in page, page
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(120)
