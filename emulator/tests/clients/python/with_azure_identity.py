"""azure-identity for Python. It is told the CA (REQUESTS_CA_BUNDLE), the authority's host, and that this host is none of
the well-known ones (`disable_instance_discovery=True`)."""

import json
import os
import sys
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from azure.identity import (
    AuthorizationCodeCredential,
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    DeviceCodeCredential,
    EnvironmentCredential,
    InteractiveBrowserCredential,
    UsernamePasswordCredential,
    WorkloadIdentityCredential,
)

from browser import PASSWORD, USER, Browser

SCOPE = "https://graph.microsoft.com/User.Read"
HOST, TENANT = os.environ["AUTHORITY"].rsplit("/", 1)
CLIENT = os.environ["CLIENT_ID"]
SETTINGS = {"authority": HOST, "disable_instance_discovery": True}


def device_code():
    def prompt(page, code, _expires):
        Browser().visit(page, code=code)

    as_user(DeviceCodeCredential(CLIENT, tenant_id=TENANT, prompt_callback=prompt, **SETTINGS))


def password():
    as_user(UsernamePasswordCredential(CLIENT, USER, PASSWORD, tenant_id=TENANT, **SETTINGS))


def interactive():
    os.environ["BROWSER"] = f"{sys.executable} {os.path.dirname(__file__)}/browser.py %s &"
    as_user(InteractiveBrowserCredential(client_id=CLIENT, tenant_id=TENANT, **SETTINGS))


def authorization_code():
    redirect_uri = os.environ["REDIRECT_URI"]
    request = {"client_id": CLIENT, "response_type": "code", "redirect_uri": redirect_uri}
    request["scope"] = f"{SCOPE} offline_access"
    page = f"{os.environ['AUTHORITY']}/oauth2/v2.0/authorize?{urlencode(request)}"
    answer = Browser().visit(page, until=redirect_uri)
    [code] = parse_qs(urlsplit(answer).query)["code"]
    secret = os.environ.get("CLIENT_SECRET")
    credential = AuthorizationCodeCredential(
        TENANT, CLIENT, code, redirect_uri, client_secret=secret, **SETTINGS
    )
    first = call_graph(credential, SCOPE)
    # After a claims challenge no cached token will do, and the code is used up: the refresh token is left.
    challenge = json.dumps({"access_token": {"nbf": {"essential": True, "value": "1"}}})
    assert credential.get_token(SCOPE, claims=challenge).token != first


def client_secret():
    as_itself(ClientSecretCredential(TENANT, CLIENT, os.environ["CLIENT_SECRET"], **SETTINGS))


def environment():
    os.environ |= {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT}
    os.environ |= {"AZURE_CLIENT_SECRET": os.environ["CLIENT_SECRET"], "AZURE_AUTHORITY_HOST": HOST}
    as_itself(EnvironmentCredential(disable_instance_discovery=True))


def certificate():
    path = os.environ["CLIENT_CERTIFICATE"]
    as_itself(CertificateCredential(TENANT, CLIENT, path, **SETTINGS))
    chain = {"send_certificate_chain": True}
    as_itself(CertificateCredential(TENANT, CLIENT, path, **chain, **SETTINGS))


def federated():
    path = os.environ["AZURE_FEDERATED_TOKEN_FILE"]

    def assertion():
        with open(path) as file:
            return file.read()

    as_itself(ClientAssertionCredential(TENANT, CLIENT, assertion, **SETTINGS))
    file = {"tenant_id": TENANT, "client_id": CLIENT, "token_file_path": path}
    as_itself(WorkloadIdentityCredential(**file, **SETTINGS))


def as_user(credential):
    """Calls Graph, then asks for a token of another permission, which is the refresh token's doing."""
    record = credential.authenticate(scopes=[SCOPE])
    assert record.username == USER, record
    first = call_graph(credential, SCOPE)
    assert credential.get_token(SCOPE).token == first, "the cache is not used"
    other = credential.get_token("https://graph.microsoft.com/User.ReadBasic.All").token
    assert other != first


def as_itself(credential):
    scope = "https://graph.microsoft.com/.default"
    first = call_graph(credential, scope)
    assert credential.get_token(scope).token == first, "the cache is not used"


def call_graph(credential, scope):
    token = credential.get_token(scope).token
    answer = requests.get(os.environ["ENDPOINT"], headers={"Authorization": f"Bearer {token}"})
    answer.raise_for_status()
    print(json.dumps(answer.json()))
    return token


globals()[sys.argv[1].replace("-", "_")]()
