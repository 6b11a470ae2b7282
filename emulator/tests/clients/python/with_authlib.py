"""Authlib, which knows nothing of Entra ID, in a Flask app and by itself. It is told the CA (REQUESTS_CA_BUNDLE); it
checks ID tokens, their signatures included."""

import base64
import json
import os
import socket
import sys
import threading

from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate
from flask import Flask, url_for
from werkzeug.serving import make_server

from browser import PASSWORD, USER, Browser

AUTHORITY, CLIENT, ENDPOINT = (os.environ[name] for name in ["AUTHORITY", "CLIENT_ID", "ENDPOINT"])
TOKEN_ENDPOINT = f"{AUTHORITY}/oauth2/v2.0/token"


def password():
    session = OAuth2Session(
        CLIENT, token_endpoint_auth_method="none", scope="openid offline_access User.Read"
    )
    session.fetch_token(TOKEN_ENDPOINT, username=USER, password=PASSWORD)
    session.refresh_token(TOKEN_ENDPOINT)
    print(json.dumps(session.get(ENDPOINT).json()))


def client_secret():
    for method in ["client_secret_post", "client_secret_basic"]:
        as_itself(client_secret=os.environ["CLIENT_SECRET"], token_endpoint_auth_method=method)


def certificate():
    with open(os.environ["CLIENT_CERTIFICATE"], "rb") as file:
        pem = file.read()
    thumbprint = load_pem_x509_certificate(pem).fingerprint(SHA256())
    thumbprint = base64.urlsafe_b64encode(thumbprint).decode().rstrip("=")
    proof = PrivateKeyJWT(TOKEN_ENDPOINT, headers={"x5t#S256": thumbprint})
    as_itself(client_secret=pem, token_endpoint_auth_method=proof)


def as_itself(**proof):
    session = OAuth2Session(CLIENT, scope="https://graph.microsoft.com/.default", **proof)
    session.fetch_token(TOKEN_ENDPOINT, grant_type="client_credentials")
    print(json.dumps(session.get(ENDPOINT).json()))


def web_app():
    app = Flask(__name__)
    app.secret_key = "signs the session"
    entra = OAuth(app).register(
        "entra",
        client_id=CLIENT,
        client_secret=os.environ["CLIENT_SECRET"],
        server_metadata_url=f"{AUTHORITY}/v2.0/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile User.Read", "code_challenge_method": "S256"},
    )

    @app.route("/login")
    def login():
        return entra.authorize_redirect(url_for("callback", _external=True))

    @app.route("/getAToken")
    def callback():
        token = entra.authorize_access_token()
        assert entra.userinfo(token=token)["sub"] == token["userinfo"]["sub"]
        return entra.get(ENDPOINT, token=token).json()

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = make_server("localhost", port, app, threaded=True, fd=listener.fileno())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(Browser().visit(f"http://localhost:{port}/login").strip())


globals()[sys.argv[1].replace("-", "_")]()
