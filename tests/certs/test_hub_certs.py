# SPDX-License-Identifier: Apache-2.0
"""A hub on its own domain: one certificate for it, one for all of its spaces, from two commands."""
import http.client
import os
import signal
import socket
import ssl
import subprocess

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
        _, out, _ = serving.run("certs", "--state", folder / "edge")
        assert "data.example.org" in out and "*.data.example.org" in out
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(120)
