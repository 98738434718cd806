# SPDX-License-Identifier: Apache-2.0
"""Servers that stand in for others, and lie when a test wants it: an OpenID Connect issuer and GitHub."""
import base64
import hashlib
import http.server
import json
import threading
import time
import urllib.parse

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


def jwk(key, kid):
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        n = public.public_numbers()
        return {"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": number(n.n), "e": number(n.e)}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        n = public.public_numbers()
        return {"kty": "EC", "kid": kid, "crv": "P-256", "x": number(n.x, 32), "y": number(n.y, 32)}
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": b64(raw)}


KEYS = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate()}
OTHER_KEYS = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()),
              "EdDSA": ed25519.Ed25519PrivateKey.generate()}


class Server:
    """Answers by the functions of `routes`: path -> function(request) -> (status, dict or bytes[, headers])."""

    def __init__(self):
        self.log = []
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def handle_one(self):
                path, _, query = self.path.partition("?")
                length = int(self.headers.get("content-length") or 0)
                self.form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
                self.query = dict(urllib.parse.parse_qsl(query))
                with outer.lock:
                    outer.log.append(path)
                status, body, *more = outer.answer(path, self)
                body = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
                self.send_response(status)
                for name, value in (more[0] if more else {}).items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass  # it was too much for them

            do_GET = do_POST = handle_one

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def asked(self, path):
        with self.lock:
            return self.log.count(path)

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()


class Issuer(Server):
    """An issuer without pages: a test reads the address that the browser is sent to, says who `person` is, and goes back
    with `code()`. What is in `lies` is told instead of the truth; None leaves a claim out."""

    def __init__(self, client_id="us", client_secret="s3 cret:+"):
        self.client_id, self.client_secret = client_id, client_secret
        self.reset()
        super().__init__()

    def reset(self):
        self.codes, self.lies, self.discovery, self.answers = {}, {}, {}, {}
        self.algorithm, self.header, self.sign_with = "RS256", {}, KEYS
        self.published, self.kid = KEYS, "1"
        self.person = {"sub": "7", "email": "ana@example.org", "email_verified": True, "name": "Ana"}
        self.userinfo = None
        self.methods = ["client_secret_basic"]
        self.release = threading.Event()

    def code(self, start_url):
        q = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(start_url).query))
        assert q["response_type"] == "code" and q["code_challenge_method"] == "S256" and "openid" in q["scope"].split()
        assert q["client_id"] == self.client_id
        code = b64(hashlib.sha256(q["state"].encode()).digest())
        self.codes[code] = q
        return code, q

    def answer(self, path, request):
        if path in self.answers:
            return self.answers[path](request)
        name = path.strip("/").replace("/", "_").replace(".", "_").replace("-", "_")
        route = getattr(self, "at_" + name, None)
        return route(request) if route else (404, {"error": "not_found"})

    def at__well_known_openid_configuration(self, request):
        d = {"issuer": self.url, "authorization_endpoint": self.url + "/authorize", "token_endpoint": self.url + "/token",
             "jwks_uri": self.url + "/jwks", "userinfo_endpoint": self.url + "/userinfo",
             "end_session_endpoint": self.url + "/end", "token_endpoint_auth_methods_supported": self.methods,
             **self.discovery}
        return 200, {k: v for k, v in d.items() if v is not None}

    def at_jwks(self, request):
        return 200, {"keys": [jwk(key, f"{self.kid}-{name}") for name, key in self.published.items()]}

    def client_is_known(self, request):
        if "client_secret_basic" in self.methods:
            both = base64.b64decode((request.headers.get("authorization") or "Basic ").split()[1]).decode()
            given = [urllib.parse.unquote_plus(part) for part in both.split(":")]
        else:
            given = [request.form.get("client_id"), request.form.get("client_secret")]
        return given == [self.client_id, self.client_secret]

    def at_token(self, request):
        f = request.form
        if not self.client_is_known(request):
            return 401, {"error": "invalid_client"}
        q = self.codes.pop(f.get("code"), None)
        challenge = b64(hashlib.sha256(f.get("code_verifier", "").encode()).digest())
        if not q or q["code_challenge"] != challenge or q["redirect_uri"] != f.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "at", "token_type": "Bearer", "id_token": self.id_token(q)}

    def id_token(self, q):
        now = int(time.time())
        claims = {"iss": self.url, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": q["nonce"],
                  **self.person, **self.lies}
        claims = {k: v for k, v in claims.items() if v is not None}
        headers = {"kid": f"{self.kid}-{self.algorithm}", **self.header}
        if self.algorithm == "none":
            return jwt.encode(claims, None, "none", headers=headers)
        if self.algorithm == "HS256":  # the public key as a secret
            pem = KEYS["RS256"].public_key().public_bytes(serialization.Encoding.DER,
                                                          serialization.PublicFormat.SubjectPublicKeyInfo)
            return jwt.encode(claims, pem, "HS256", headers={"kid": "1-RS256"})
        return jwt.encode(claims, self.sign_with[self.algorithm], self.algorithm, headers=headers)

    def at_userinfo(self, request):
        if request.headers.get("authorization") != "Bearer at":
            return 401, {}
        return 200, self.userinfo or {"sub": self.person["sub"]}


class GitHub(Server):
    """GitHub's pages and API, as far as signing in goes. memberships: {"org": "active", "org/team": "pending"}."""

    def __init__(self, client_id="gh", client_secret="gh-secret"):
        self.client_id, self.client_secret = client_id, client_secret
        self.reset()
        super().__init__()

    def reset(self):
        self.codes, self.memberships = {}, {}
        self.user = {"id": 42, "login": "Octo", "name": None}
        self.emails = [{"email": "other@example.org", "primary": False, "verified": True},
                       {"email": "octo@example.org", "primary": True, "verified": True}]

    def code(self, start_url):
        parts = urllib.parse.urlsplit(start_url)
        q = dict(urllib.parse.parse_qsl(parts.query))
        assert parts.path == "/login/oauth/authorize" and q["client_id"] == self.client_id
        code = b64(hashlib.sha256(q["state"].encode()).digest())
        self.codes[code] = q
        return code, q

    def answer(self, path, request):
        if path == "/login/oauth/access_token":
            f = request.form
            if (f.get("client_id"), f.get("client_secret")) != (self.client_id, self.client_secret):
                return 200, {"error": "incorrect_client_credentials"}
            q = self.codes.pop(f.get("code"), None)
            challenge = b64(hashlib.sha256(f.get("code_verifier", "").encode()).digest())
            if not q or q["code_challenge"] != challenge:
                return 200, {"error": "bad_verification_code"}
            return 200, {"access_token": "gho_x", "token_type": "bearer", "scope": q["scope"]}
        if request.headers.get("authorization") != "Bearer gho_x":
            return 401, {"message": "Requires authentication"}
        if path == "/api/user":
            return 200, self.user
        if path == "/api/user/emails":
            return 200, self.emails
        group = path.replace("/api/user/memberships/orgs/", "").replace("/api/orgs/", "")
        group = group.replace("/teams/", "/").replace(f"/memberships/{self.user['login']}", "")
        state = self.memberships.get(group)
        return (200, {"state": state}) if state else (404, {"message": "Not Found"})
