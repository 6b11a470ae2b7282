"""A Flask app that signs its users in with the package `identity`. It is told the CA (REQUESTS_CA_BUNDLE), and nothing
else that it is not told for Entra ID."""

import os
import socket
import sys
import tempfile
import threading

import requests
from flask import Flask
from identity.flask import Auth
from werkzeug.serving import make_server

from browser import Browser

SOCKET = socket.create_server(("127.0.0.1", 0))
ADDRESS = f"http://localhost:{SOCKET.getsockname()[1]}"

app = Flask(__name__)
app.config["SESSION_TYPE"] = "filesystem"
app.config["SESSION_FILE_DIR"] = tempfile.mkdtemp()
auth = Auth(
    app,
    authority=os.environ["AUTHORITY"],
    client_id=os.environ["CLIENT_ID"],
    client_credential=os.environ["CLIENT_SECRET"],
    redirect_uri=f"{ADDRESS}/getAToken",
)


@app.route("/")
@auth.login_required
def index(*, context):
    return f"Welcome {context['user']['name']}!"


@app.route("/call_api")
@auth.login_required(scopes=["User.Read"])
def call_api(*, context):
    headers = {"Authorization": f"Bearer {context['access_token']}"}
    return requests.get(os.environ["ENDPOINT"], headers=headers).json()


def web_app():
    server = make_server("localhost", 0, app, threaded=True, fd=SOCKET.fileno())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = Browser()
    assert browser.visit(f"{ADDRESS}/") == "Welcome Contoso Employee!"
    print(browser.visit(f"{ADDRESS}/call_api").strip())
    # The way of a sign-out leads back to the first page, which asks for a sign-in, and that for the password again.
    browser.asked.clear()
    assert browser.visit(f"{ADDRESS}/logout").startswith("Welcome")
    assert "password" in browser.asked


globals()[sys.argv[1].replace("-", "_")]()
