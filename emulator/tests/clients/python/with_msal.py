"""MSAL for Python. It is told the CA (REQUESTS_CA_BUNDLE), and that the authority is none of the well-known ones
(`instance_discovery=False`)."""

import json
import os
import sys
from urllib.parse import parse_qsl, urlsplit

import msal
import requests
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.x509 import load_pem_x509_certificate

from browser import PASSWORD, USER, Browser

SCOPES = ["User.Read"]


def public_app():
    return msal.PublicClientApplication(
        os.environ["CLIENT_ID"], authority=os.environ["AUTHORITY"], instance_discovery=False
    )


def confidential_app(credential):
    return msal.ConfidentialClientApplication(
        os.environ["CLIENT_ID"],
        authority=os.environ["AUTHORITY"],
        client_credential=credential,
        instance_discovery=False,
    )


def device_code():
    app = public_app()
    flow = app.initiate_device_flow(SCOPES)
    Browser().visit(flow["verification_uri"], code=flow["user_code"])
    as_user(app, app.acquire_token_by_device_flow(flow))


def password():
    app = public_app()
    as_user(app, app.acquire_token_by_username_password(USER, PASSWORD, SCOPES))


def authorization_code():
    by_code(public_app())


def web_app():
    by_code(confidential_app(os.environ["CLIENT_SECRET"]), response_mode="form_post")


def by_code(app, **options):
    redirect_uri = os.environ["REDIRECT_URI"]
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=redirect_uri, **options)
    answer = Browser().visit(flow["auth_uri"], until=redirect_uri)
    answer = dict(parse_qsl(urlsplit(answer).query))
    as_user(app, app.acquire_token_by_auth_code_flow(flow, answer))


def interactive():
    os.environ["BROWSER"] = f"{sys.executable} {os.path.dirname(__file__)}/browser.py %s &"
    app = public_app()
    as_user(app, app.acquire_token_interactive(SCOPES))


def client_secret():
    as_itself(confidential_app(os.environ["CLIENT_SECRET"]))


def certificate():
    with open(os.environ["CLIENT_CERTIFICATE"]) as file:
        pem = file.read()
    as_itself(confidential_app({"private_key": pem, "public_certificate": pem}))
    # Older programs name their certificate by this thumbprint, and MSAL signs in the older way for them.
    thumbprint = load_pem_x509_certificate(pem.encode()).fingerprint(SHA1()).hex()
    as_itself(confidential_app({"private_key": pem, "thumbprint": thumbprint}))


def federated():
    def assertion():
        with open(os.environ["AZURE_FEDERATED_TOKEN_FILE"]) as file:
            return file.read()

    as_itself(confidential_app({"client_assertion": assertion}))


def instance_discovery():
    """The question whether the authority may be trusted goes to the emulator, instead of being turned off."""
    host = os.environ["AUTHORITY"].rsplit("/", 1)[0]
    app = msal.PublicClientApplication(
        os.environ["CLIENT_ID"],
        authority=os.environ["AUTHORITY"],
        instance_discovery=f"{host}/common/discovery/instance",
    )
    flow = app.initiate_device_flow(SCOPES)
    Browser().visit(flow["verification_uri"], code=flow["user_code"])
    call_graph(app.acquire_token_by_device_flow(flow))


def as_user(app, result):
    """Calls Graph, then asks for the same token again: from the cache, by the refresh token, and after a sign-out."""
    call_graph(result)
    [account] = app.get_accounts()
    assert account["username"] == USER, account
    assert app.acquire_token_silent(SCOPES, account)["token_source"] == "cache"
    refreshed = app.acquire_token_silent(SCOPES, account, force_refresh=True)
    assert refreshed["token_source"] == "identity_provider", refreshed
    more = app.acquire_token_by_refresh_token(refreshed["refresh_token"], SCOPES)
    assert "access_token" in more, more
    app.remove_account(account)
    assert app.acquire_token_silent(SCOPES, account) is None


def as_itself(app):
    scopes = ["https://graph.microsoft.com/.default"]
    call_graph(app.acquire_token_for_client(scopes))
    assert app.acquire_token_for_client(scopes)["token_source"] == "cache"


def call_graph(result):
    if "access_token" not in result:
        sys.exit(f"{result['error']}: {result['error_description']}")
    headers = {"Authorization": f"Bearer {result['access_token']}"}
    answer = requests.get(os.environ["ENDPOINT"], headers=headers)
    answer.raise_for_status()
    print(json.dumps(answer.json()))


globals()[sys.argv[1].replace("-", "_")]()
