"""Runs idpyoidc's authorization server in Flask on a free port of loopback: it exchanges tokens.

Prints a line with its address and its clients' secrets, and ends when its input does.
"""

import json
import logging
import os
import secrets
import sys
import tempfile
import threading

from flask import Flask, Response, jsonify, request
from idpyoidc.message import Message
from idpyoidc.message.oauth2 import AuthorizationRequest
from idpyoidc.server import Server
from idpyoidc.server.authn_event import create_authn_event
from idpyoidc.server.configure import ASConfiguration
from idpyoidc.server.exception import ClientAuthenticationError, UnAuthorizedClient, UnknownClient
from idpyoidc.server.oauth2.introspection import Introspection
from idpyoidc.server.oauth2.token import Token
from idpyoidc.server.oauth2.token_revocation import TokenRevocation
from werkzeug.serving import make_server

# It does not decode what comes by HTTP Basic.
SECRET = "per%cent+plus:colon and space"
REDIRECT_URI = "http://127.0.0.1/callback"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
METHODS = ["client_secret_basic", "client_secret_post"]

app = Flask(__name__)
listener = make_server("127.0.0.1", 0, app)
issuer = f"http://127.0.0.1:{listener.server_port}"


def lives(seconds):
    return {"kwargs": {"lifetime": seconds}}


def endpoint(of, path, **arguments):
    return {"class": of, "path": path, "kwargs": {"client_authn_method": METHODS, **arguments}}


policy = {
    "class": "idpyoidc.server.oauth2.token_helper.token_exchange.TokenExchangeHelper",
    "kwargs": {
        "subject_token_types_supported": [ACCESS_TOKEN],
        "requested_token_types_supported": [ACCESS_TOKEN],
        "policy": {
            "": {
                "function": "idpyoidc.server.oauth2.token_helper.validate_token_exchange_policy",
                "kwargs": {"resource": ["https://api.example"], "audience": ["backend"]},
            }
        },
    },
}
helper = "idpyoidc.server.oauth2.token_helper"
grants = {
    "authorization_code": {"class": f"{helper}.access_token.AccessTokenHelper"},
    "refresh_token": {"class": f"{helper}.refresh_token.RefreshTokenHelper"},
    "client_credentials": {"class": f"{helper}.client_credentials.ClientCredentials"},
    EXCHANGE: policy,
}
usage = {
    "authorization_code": {"supports_minting": ["access_token", "refresh_token"], "max_usage": 1},
    "access_token": {"supports_minting": ["access_token"], "expires_in": 600},
    "refresh_token": {"supports_minting": ["access_token", "refresh_token"], "expires_in": 3600},
}
with tempfile.TemporaryDirectory() as folder:
    configuration = ASConfiguration(
        conf={
            "issuer": issuer,
            "endpoint": {
                "token": endpoint(Token, "token", grant_types_helpers=grants),
                "introspection": endpoint(Introspection, "introspect"),
                "token_revocation": endpoint(TokenRevocation, "revoke"),
            },
            "token_handler_args": {
                "code": lives(60),
                "token": {
                    "class": "idpyoidc.server.token.jwt_token.JWTToken",
                    "kwargs": {"lifetime": 600, "aud": ["https://api.example"]},
                },
                "refresh": lives(3600),
            },
            "session_params": {"encrypter": {"kwargs": {"password": secrets.token_hex(16), "salt": secrets.token_hex(16)}}},
            "authz": {
                "class": "idpyoidc.server.authz.AuthzHandling",
                "kwargs": {"grant_config": {"usage_rules": usage, "expires_in": 3600}},
            },
            "userinfo": {"class": "idpyoidc.server.user_info.UserInfo", "kwargs": {"db": {"alice": {}}}},
            "scopes_handler": {"class": "idpyoidc.server.scopes.Scopes", "kwargs": {}},
        },
        base_path=folder,
    )
    server = Server(configuration, cwd=folder)
context = server.context
for client_id in ("frontend", "backend"):
    context.cdb[client_id] = {
        "client_id": client_id,
        "client_secret": SECRET,
        "redirect_uris": [(REDIRECT_URI, None)],
        "allowed_scopes": ["read", "write"],
        "response_types_supported": ["code"],
        "grant_types_supported": list(grants),
        "enforce_audience_restriction": False,
    }


def answered(name):
    """What the package's own example application does with a request."""
    served = server.endpoint[name]
    http_info = {"headers": {key.lower(): value for key, value in request.headers.items()}, "url": request.url}
    try:
        asked = served.parse_request(request.form.to_dict(), http_info=http_info)
        answer = asked if "error" in asked else served.process_request(asked, http_info=http_info)
    except (ClientAuthenticationError, UnAuthorizedClient, UnknownClient):
        return jsonify({"error": "invalid_client"}), 401
    if "error" in answer:
        return jsonify(answer.to_dict() if isinstance(answer, Message) else answer), 400
    made = served.do_response(request=asked, **answer)
    return Response(made["response"], headers=made["http_headers"])


@app.post("/token")
def token():
    return answered("token")


@app.post("/introspect")
def introspect():
    return answered("introspection")


@app.post("/revoke")
def revoke():
    return answered("token_revocation")


@app.post("/seed")
def seed():
    """A login without a browser: answers with its code."""
    sessions, client_id = context.session_manager, request.args["client"]
    asked = AuthorizationRequest(
        client_id=client_id,
        redirect_uri=REDIRECT_URI,
        response_type="code",
        scope=["read", "write"],
        state="state",
    )
    session = sessions.create_session(create_authn_event("alice"), asked, "alice", client_id=client_id)
    grant = context.authz(session, asked)
    code = grant.mint_token(
        session_id=session,
        context=context,
        token_class="authorization_code",
        token_handler=sessions.token_handler["authorization_code"],
        usage_rules=grant.usage_rules["authorization_code"],
    )
    return Response(code.value, mimetype="text/plain")


def wait_for_end():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=wait_for_end, daemon=True).start()
logging.getLogger("werkzeug").setLevel(logging.ERROR)
print(json.dumps({"issuer": issuer, "secret": SECRET, "redirect_uri": REDIRECT_URI}), flush=True)
listener.serve_forever()
