# SPDX-License-Identifier: Apache-2.0
"""Hosts that lead to another proxy, proven by a TXT record that a real BIND holds."""
import contextlib
import pathlib
import re
import signal
import sys

import pytest
from hub_rig import wait_for
from test_take_along import person

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "certs"))
from certs_rig import Running, free_ports, listens, program, wait_until  # noqa: E402

ZONE = """$TTL 60
@ IN SOA ns.example.test. admin.example.test. {serial} 60 60 600 60
@ IN NS ns
ns IN A 127.0.0.1
www IN A 192.0.2.7
{records}
"""


class Zone:
    """A name server for example.test, whose records are set."""

    def __init__(self, stack, folder):
        self.port, self.folder, self.serial = free_ports(1)[0], folder, 0
        folder.mkdir()
        self.write("")
        (folder / "named.conf").write_text(f"""
options {{ directory "{folder}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    pid-file "{folder}/pid"; session-keyfile none; recursion no; allow-query {{ any; }}; dnssec-validation no; }};
controls {{ }};
zone "example.test" {{ type primary; file "{folder}/zone"; }};
""")
        self.named = Running(stack, program("named"), "-g", "-c", folder / "named.conf", log=folder / "log")
        wait_until(lambda: listens(self.port), self.named.log)

    def write(self, records):
        self.serial += 1
        (self.folder / "zone").write_text(ZONE.format(serial=self.serial, records=records))

    def set(self, records):
        self.write(records)
        self.named.process.send_signal(signal.SIGHUP)
        wait_until(lambda: f"loaded serial {self.serial}" in self.named.log(), self.named.log)


@pytest.fixture
def zone(tmp_path):
    if not program("named"):
        pytest.skip("needs bind9: tools/setup.sh --test installs it")
    with contextlib.ExitStack() as stack:
        yield Zone(stack, tmp_path / "zone")


def test_a_record_proves_a_host(make_hub, zone):
    hub = make_hub(settings=f'name_server: "127.0.0.1:{zone.port}"')
    ana, bob = person(hub, "ana@example.org"), person(hub, "bob@example.org")
    ana.new_space("Behind", "behind")
    bob.new_space("Other", "other-one")
    page = ana.post("/spaces/behind/domains", {"host": "WWW.example.test"})
    assert page.status == 400 and "_vitrine.www.example.test" in page.said, page
    text = re.search(r"vitrine=[A-Za-z0-9_-]{32}", page.text).group(0)
    ask = {"host": "www.example.test", "proof": "txt"}
    missing = ana.post("/spaces/behind/domains", ask)
    assert missing.status == 400 and "no TXT record _vitrine.www.example.test" in missing.said and text in missing.text
    # Other records, a longer one, one of another space and the right one of another host prove nothing.
    theirs = re.search(r"vitrine=[A-Za-z0-9_-]{32}", bob.post("/spaces/other-one/domains", ask).text).group(0)
    assert theirs != text
    zone.set(f'_vitrine.www IN TXT "{text}x"\n_vitrine.www IN TXT "{theirs}"\n_vitrine.www IN TXT "{text[:20]}"\n'
             f'_vitrine.mail IN TXT "{text}"\n')
    assert ana.post("/spaces/behind/domains", ask).status == 400
    assert ana.post("/spaces/behind/domains", {**ask, "host": "mail.example.test"}).status == 400
    assert hub.space_json("behind")["hosts"] == []
    zone.set(f'_vitrine.www IN TXT "v=spf1 -all"\n_vitrine.www IN TXT "{text[:10]}" "{text[10:]}"\n')
    assert ana.post("/spaces/behind/domains", {"host": "www.example.test"}).status == 400, "it leads elsewhere"
    assert ana.post("/spaces/behind/domains", ask).status == 303
    wait_for(lambda: hub.space_json("behind")["hosts"] == ["www.example.test"])
    assert 'value="www.example.test"' in ana.get("/spaces/behind/domains").text
    assert bob.post("/spaces/other-one/domains", ask).status == 400, "the proof is of one space"
    # Once it is proven the record may go.
    zone.set("")
    assert ana.post("/spaces/behind/domains", {"remove": "www.example.test"}).status == 303


def test_a_name_server_that_is_none(make_hub):
    hub = make_hub()
    text = (hub.folder / "hub.yaml").read_text()
    for bad in ("[::1]:53", "192.0.2.1", "unix:/x"):
        (hub.folder / "hub.yaml").write_text(text + f'name_server: "{bad}"\n')
        checked = hub.run("hub", "check", "--dir", hub.folder)
        assert checked.returncode and "name_server" in checked.stderr, (bad, checked)
