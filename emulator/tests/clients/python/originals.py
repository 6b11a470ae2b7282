"""What the Python samples do that this workspace is modelled on, step by step: the same objects of the same libraries,
with the cloud's own addresses. Nothing in here but the browser at the end knows of the emulator's pages."""

import json
import socket
import sys
import tempfile
import threading

import identity.web
import msal
import requests
from flask import Flask, redirect, render_template_string, request, session, url_for
from flask_session import Session
from werkzeug.serving import make_server

from browser import Browser


def parameters():
    with open(sys.argv[2]) as file:
        return json.load(file)


def device_code():
    """Both samples of this flow: the cache is asked first, and is empty in a new process."""
    config = parameters()
    app = msal.PublicClientApplication(config["client_id"], authority=config["authority"])
    result = None
    if accounts := app.get_accounts():
        result = app.acquire_token_silent(config["scope"], account=accounts[0])
    if not result:
        flow = app.initiate_device_flow(scopes=config["scope"])
        print(flow["message"], file=sys.stderr, flush=True)
        result = app.acquire_token_by_device_flow(flow)
    call_graph(config["endpoint"], result)


def client_credentials():
    config = parameters()
    app = msal.ConfidentialClientApplication(
        config["client_id"],
        authority=config["authority"],
        client_credential=config["client_secret"],
    )
    scope = ["https://graph.microsoft.com/.default"]
    result = app.acquire_token_silent(scopes=scope, account=None)
    if not result:
        result = app.acquire_token_for_client(scopes=scope)
    call_graph(f"https://graph.microsoft.com/v1.0/applications/{config['client_objectid']}", result)


def username_password():
    config = parameters()
    app = msal.PublicClientApplication(config["client_id"], authority=config["authority"])
    result = None
    if accounts := app.get_accounts(username=config["username"]):
        result = app.acquire_token_silent(config["scope"], account=accounts[0])
    if not result:
        result = app.acquire_token_by_username_password(
            config["username"], config["password"], scopes=config["scope"]
        )
    call_graph(config["endpoint"], result)


def call_graph(endpoint, result):
    if "access_token" not in result:
        sys.exit(f"{result.get('error')}: {result.get('error_description')}")
    headers = {"Authorization": f"Bearer {result['access_token']}"}
    print(json.dumps(requests.get(endpoint, headers=headers).json()))


def flask_web_app():
    """The web sample: four routes around the package `identity`."""
    app = Flask(__name__)
    app.config |= {"SESSION_TYPE": "filesystem", "SESSION_FILE_DIR": tempfile.mkdtemp()}
    Session(app)
    config = parameters()
    auth = identity.web.Auth(
        session=session,
        authority=config["authority"],
        client_id=config["client_id"],
        client_credential=config["client_secret"],
    )

    @app.route("/login")
    def login():
        log_in = auth.log_in(
            scopes=["User.Read"], redirect_uri=url_for("auth_response", _external=True)
        )
        page = '<meta http-equiv="refresh" content="0; URL={{ auth_uri }}">'
        return render_template_string(page, **log_in)

    @app.route("/getAToken")
    def auth_response():
        result = auth.complete_log_in(request.args)
        return result if "error" in result else redirect(url_for("index"))

    @app.route("/logout")
    def logout():
        return redirect(auth.log_out(url_for("index", _external=True)))

    @app.route("/")
    def index():
        if not (user := auth.get_user()):
            return redirect(url_for("login"))
        return f"Welcome {user['name']}!"

    @app.route("/call_downstream_api")
    def call_downstream_api():
        token = auth.get_token_for_user(["User.Read"])
        if "error" in token:
            return redirect(url_for("login"))
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        return requests.get(config["endpoint"], headers=headers, timeout=30).json()

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = make_server("localhost", port, app, threaded=True, fd=listener.fileno())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = Browser()
    assert browser.visit(f"http://localhost:{port}/") == "Welcome Contoso Employee!"
    print(browser.visit(f"http://localhost:{port}/call_downstream_api").strip())
    browser.asked.clear()
    browser.visit(f"http://localhost:{port}/logout")
    assert "password" in browser.asked, "still signed in after the sign-out"


globals()[sys.argv[1].replace("-", "_")]()
