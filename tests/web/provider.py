"""An identity provider (OpenID Connect Core 1.0, code flow with PKCE) for one client, on a port of this machine.

It asks for no password: whoever comes is the person it was last told of with `knows`.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "annotator", "secret of the client"
CALLBACK = "/oauth2callback"


class Provider:
    """What the provider knows: its key, who comes next, and the codes it gave out."""

    def __init__(self, port: int, client_base: str) -> None:
        # By name: for a browser, localhost and 127.0.0.1 are two sites, as a provider and its client are.
        self.issuer = f"http://localhost:{port}"
        self.callback = client_base + CALLBACK
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.person: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.signed_out = 0

    def knows(self, **claims: Any) -> None:
        """Who comes next: claims as email, email_verified and name."""
        self.person = claims

    def secrets_toml(self) -> str:
        """What the client's administrator writes down."""
        values = {
            "redirect_uri": self.callback,
            "cookie_secret": secrets.token_hex(32),
            "client_id": CLIENT,
            "client_secret": SECRET,
            "server_metadata_url": f"{self.issuer}/.well-known/openid-configuration",
        }
        return "[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/end",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser goes with the code of the person who came."""
        assert (asked["client_id"], asked["redirect_uri"], asked["response_type"]) == (CLIENT, self.callback, "code")
        assert "openid" in asked["scope"].split() and asked["nonce"] and asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{self.callback}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """The tokens for a code; None for a code or client that is not ours."""
        asked = self.codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        client = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked is None or authorization != f"Basic {client}" or form.get("redirect_uri") != self.callback:
            return None
        if base64.urlsafe_b64encode(verifier).decode().rstrip("=") != asked["code_challenge"]:
            return None
        return {"access_token": "none", "token_type": "Bearer", "expires_in": 300, "id_token": self._id_token(asked)}

    def _id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": str(self.person.get("email", "somebody")),
            "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.person,
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)


@contextmanager
def providing(client_base: str) -> Iterator[Provider]:
    """A provider for the app at `client_base`, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.provider = Provider(server.server_port, client_base)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.provider  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    @property
    def provider(self) -> Provider:
        return self.server.provider  # type: ignore[attr-defined, no-any-return]

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        path = urlsplit(self.path).path
        if path == "/.well-known/openid-configuration":
            self._answer(self.provider.discovery())
        elif path == "/jwks":
            self._answer({"keys": [self.provider.key.as_dict(private=False)]})
        elif path == "/authorize":
            self._send_on(self.provider.authorize(asked))
        elif path == "/end":
            self.provider.signed_out += 1
            self._send_on(asked["post_logout_redirect_uri"])
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        tokens = self.provider.token(form, self.headers.get("Authorization", ""))
        self._answer(tokens or {"error": "invalid_grant"}, 200 if tokens else 400)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test's output is its failures."""

    def _answer(self, value: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_on(self, address: str) -> None:
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()
