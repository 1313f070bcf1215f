"""Runs Authlib's authorization server in Flask on a free port of loopback: assertions as grants, and JWTs as access tokens.

Prints a line with its address and its clients' keys, and ends when its input does.
"""

import json
import logging
import os
import sys
import threading
import time

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc6749.util import list_to_scope, scope_to_list
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion, JWTBearerGrant
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator, JWTIntrospectionEndpoint
from flask import Flask, Response, jsonify
from joserfc import jwk
from werkzeug.serving import make_server

SECRET = "per%cent+plus:colon and space"
# A server that decodes only `%`: without one in it, what is sent as it is arrives as it is.
RAW_SECRET = "plus+plus:colon and space"


class Client(ClientMixin):
    def __init__(self, client_id, method, secret=None, key=None):
        self.client_id, self.method, self.secret, self.key = client_id, method, secret, key

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return list_to_scope([one for one in scope_to_list(scope) or [] if one in ("read", "write")])

    def check_redirect_uri(self, redirect_uri):
        return False

    def check_client_secret(self, client_secret):
        return self.secret == client_secret

    def check_endpoint_auth_method(self, method, endpoint):
        return self.method == method

    def check_response_type(self, response_type):
        return False

    def check_grant_type(self, grant_type):
        return True


class User:
    def __init__(self, name):
        self.name = name

    def get_user_id(self):
        return self.name


def key(kid):
    return jwk.ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"}, auto_kid=False)


server_key, client_key = key("server"), key("client")
clients = {
    client.client_id: client
    for client in [
        Client("basic", "client_secret_basic", SECRET),
        Client("raw", "client_secret_basic", RAW_SECRET),
        Client("post", "client_secret_post", SECRET),
        Client("asserting", "private_key_jwt", key=client_key),
    ]
}
# Everything that was issued, by either token.
tokens = []


class Token:
    def __init__(self, token, client, user):
        self.access_token, self.refresh_token = token["access_token"], token.get("refresh_token")
        self.scope, self.expires = token.get("scope", ""), int(time.time()) + token["expires_in"]
        self.client, self.user, self.revoked = client, user, False

    def check_client(self, client):
        return self.client is client

    def get_scope(self):
        return self.scope

    def get_expires_in(self):
        return 600

    def is_expired(self):
        return self.expires < time.time()

    def is_revoked(self):
        return self.revoked

    def get_user(self):
        return self.user

    def get_client(self):
        return self.client


def found(text, name):
    return next((token for token in tokens if getattr(token, name) == text and text), None)


app = Flask(__name__)
server = AuthorizationServer(
    app,
    query_client=clients.get,
    save_token=lambda token, request: tokens.append(Token(token, request.client, request.user)),
)


class Generator(JWTBearerTokenGenerator):
    def get_jwks(self):
        return jwk.KeySet([server_key])

    def get_audiences(self, client, user, scope):
        return "https://api.example"


class ClientCredentials(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]


class Refresh(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token):
        token = found(refresh_token, "refresh_token")
        return token if token and not token.revoked else None

    def authenticate_user(self, refresh_token):
        return refresh_token.user

    def revoke_old_credential(self, refresh_token):
        refresh_token.revoked = True


class Assertions(JWTBearerGrant):
    def resolve_issuer_client(self, issuer):
        return clients.get(issuer)

    def resolve_client_public_key(self, client):
        return client.key

    def authenticate_user(self, subject):
        return User(subject) if subject == "alice" else None

    def get_audiences(self):
        return [issuer]

    def has_granted_permission(self, client, user):
        return True


class ClientAssertion(JWTBearerClientAssertion):
    CLIENT_AUTH_METHOD = "private_key_jwt"
    seen = set()

    def get_audiences(self):
        return [issuer, f"{issuer}/token"]

    def validate_jti(self, claims, jti):
        fresh = jti not in self.seen
        self.seen.add(jti)
        return fresh

    def resolve_client_public_key(self, client):
        return client.key


class Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = ["client_secret_basic"]

    def query_token(self, token_string, token_type_hint):
        return found(token_string, "access_token") or found(token_string, "refresh_token")

    def revoke_token(self, token, request):
        token.revoked = True


class OpaqueIntrospection(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = ["client_secret_basic"]

    def check_permission(self, token, client, request):
        return True

    def query_token(self, token_string, token_type_hint):
        return found(token_string, "refresh_token")

    def introspect_token(self, token):
        return {"active": not token.revoked, "client_id": token.client.client_id, "exp": token.expires}


class JwtIntrospection(JWTIntrospectionEndpoint):
    CLIENT_AUTH_METHODS = ["client_secret_basic"]

    def get_jwks(self):
        return jwk.KeySet([server_key])

    def check_permission(self, token, client, request):
        return True


@app.post("/token")
def token():
    return server.create_token_response()


@app.post("/revoke")
def revoke():
    return server.create_endpoint_response(Revocation.ENDPOINT_NAME)


@app.post("/introspect")
def introspect():
    return server.create_endpoint_response(JwtIntrospection.ENDPOINT_NAME)


@app.get("/jwks")
def keys():
    return jsonify({"keys": [server_key.as_dict(private=False)]})


@app.post("/seed")
def seed():
    """A login without a browser: answers with its first refresh token."""
    user, client = User("alice"), clients["basic"]
    made = server.generate_token(client=client, grant_type="authorization_code", user=user, scope="read write")
    tokens.append(Token(made, client, user))
    return Response(made["refresh_token"], mimetype="text/plain")


def wait_for_end():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=wait_for_end, daemon=True).start()
logging.getLogger("werkzeug").setLevel(logging.ERROR)
listener = make_server("127.0.0.1", 0, app)
issuer = f"http://127.0.0.1:{listener.server_port}"
generator = Generator(issuer=issuer, alg="ES256", refresh_token_generator=lambda **_: os.urandom(16).hex())
server.register_token_generator("default", generator)
for grant in (ClientCredentials, Refresh, Assertions):
    server.register_grant(grant)
server.register_client_auth_method(ClientAssertion.CLIENT_AUTH_METHOD, ClientAssertion())
server.register_endpoint(Revocation)
endpoint = JwtIntrospection(issuer=issuer)
server.register_endpoint(endpoint)
server.register_endpoint(OpaqueIntrospection)
told = {
    "issuer": issuer,
    "secret": SECRET,
    "raw_secret": RAW_SECRET,
    "key": client_key.as_dict(private=True),
    "stranger": key("client").as_dict(private=True),
}
print(json.dumps(told), flush=True)
listener.serve_forever()
