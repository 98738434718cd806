# SPDX-License-Identifier: Apache-2.0
"""A passkey without a browser: answers to what forms with data-passkey ask for, so that tests can answer wrongly.

  key = Passkey("http://data.localhost:8080"); fields = key.create(options); fields = key.get(options)

`options` is the JSON of data-options. ES256 by the openssl command."""
import base64
import hashlib
import json
import os
import re
import subprocess
import tempfile

UP, UV, AT = 0x01, 0x04, 0x40


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def head(major, n):
    """The head of a CBOR item (RFC 8949 section 3)."""
    if n < 24:
        return bytes([major << 5 | n])
    return bytes([major << 5 | 24, n]) if n < 256 else bytes([major << 5 | 25]) + n.to_bytes(2, "big")


def blob(raw):
    return head(2, len(raw)) + raw


def text(s):
    return head(3, len(s)) + s.encode()


class Passkey:
    def __init__(self, origin, user=b""):
        self.origin, self.user, self.counter = origin, user, 0
        self.id = os.urandom(32)
        with tempfile.NamedTemporaryFile("r", suffix=".pem", delete=False) as f:
            self.file = f.name
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.file], check=True)
        der = subprocess.run(["openssl", "ec", "-in", self.file, "-pubout", "-outform", "DER"], check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        self.x, self.y = der[-64:-32], der[-32:]

    def close(self):
        os.unlink(self.file)

    def client_data(self, kind, challenge, **more):
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False} | more).encode()

    def auth_data(self, rp_id, flags, more=b""):
        self.counter += 1
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big") + more

    def create(self, options, flags=UP | UV, **more):
        """Fields of the form that adds a passkey."""
        key = head(5, 5) + b"\x01\x02" + b"\x03\x26" + b"\x20\x01" + b"\x21" + blob(self.x) + b"\x22" + blob(self.y)
        credential = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + key
        data = self.auth_data(options["rp"]["id"], flags | AT, credential)
        self.user = unb64(options["user"]["id"])
        return {"client_data": b64(self.client_data("webauthn.create", options["challenge"], **more)),
                "attestation": b64(head(5, 3) + text("fmt") + text("none") + text("attStmt") + head(5, 0) +
                                   text("authData") + blob(data))}

    def get(self, options, flags=UP | UV, **more):
        """Fields of a form that is answered with a passkey."""
        client = self.client_data("webauthn.get", options["challenge"], **more)
        data = self.auth_data(options["rpId"], flags)
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.file], check=True, stdout=subprocess.PIPE,
                                   input=data + hashlib.sha256(client).digest()).stdout
        return {"id": b64(self.id), "client_data": b64(client), "authenticator_data": b64(data), "signature": b64(signature)}


def totp(secret, unix_s):
    """The code of an app; secret as it is typed."""
    import hmac
    raw = base64.b32decode(re.sub(r"\s", "", secret).upper() + "=" * (-len(re.sub(r"\s", "", secret)) % 8))
    mac = hmac.new(raw, (int(unix_s) // 30).to_bytes(8, "big"), "sha1").digest()
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at:at + 4], 'big') & 0x7fffffff) % 1000000:06d}"
