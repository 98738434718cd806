# SPDX-License-Identifier: Apache-2.0
"""Signs cookies and tokens as itsdangerous' URLSafeSerializer does, from its documentation, with nothing of ours."""
import base64
import hashlib
import hmac
import json
import time
import zlib

BASE62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mac(secret, namespace, payload):
    key = hashlib.sha1(namespace.encode() + b"signer" + secret.encode()).digest()
    return b64(hmac.new(key, payload.encode(), hashlib.sha1).digest())


def sign_text(secret, namespace, payload):
    return payload + "." + mac(secret, namespace, payload)


def sign(secret, namespace, value):
    text = json.dumps(value, separators=(",", ":")).encode()
    packed = zlib.compress(text)
    return sign_text(secret, namespace, "." + b64(packed) if len(packed) < len(text) - 1 else b64(text))


def base62(n):
    text = ""
    while n:
        n, digit = divmod(n, 62)
        text = BASE62[digit] + text
    return text or "A"


def cookie(secret, actor, expires_in=None):
    value = {"a": actor}
    if expires_in is not None:
        value["e"] = base62(int(time.time()) + expires_in)
    return {"Cookie": "ds_actor=" + sign(secret, "actor", value)}


def bearer(secret, actor_id, restrictions=None, issued=None, duration=None):
    value = {"a": actor_id, "t": int(time.time()) if issued is None else issued}
    if duration is not None:
        value["d"] = duration
    if restrictions is not None:
        value["_r"] = restrictions
    return {"Authorization": "Bearer dstok_" + sign(secret, "token", value)}
