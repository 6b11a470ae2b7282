"""The Microsoft Graph SDK for Python. It is told where Graph is (`base_url`) and the CA (SSL_CERT_FILE); its scope is the
one that it makes itself of Graph's address."""

import asyncio
import json
import os
import sys

from azure.identity import ClientSecretCredential, DeviceCodeCredential
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph_core.tasks.page_iterator import PageIterator

from browser import Browser

HOST, TENANT = os.environ["AUTHORITY"].rsplit("/", 1)
SETTINGS = {"authority": HOST, "disable_instance_discovery": True}


def client(credential):
    adapter = GraphRequestAdapter(AzureIdentityAuthenticationProvider(credential))
    adapter.base_url = f"{HOST}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


async def device_code():
    def prompt(page, code, _expires):
        Browser().visit(page, code=code)

    credential = DeviceCodeCredential(
        os.environ["CLIENT_ID"], tenant_id=TENANT, prompt_callback=prompt, **SETTINGS
    )
    graph = client(credential)
    me = await graph.me.get()
    manager = await graph.me.manager.get()
    print(json.dumps({"displayName": me.display_name, "manager": manager.display_name}))

    parameters = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
        top=2, select=["id", "displayName"]
    )
    Configuration = UsersRequestBuilder.UsersRequestBuilderGetRequestConfiguration
    first_page = await graph.users.get(Configuration(query_parameters=parameters))
    assert len(first_page.value) == 2, first_page
    names = []
    await PageIterator(first_page, graph.request_adapter).iterate(
        lambda user: names.append(user.display_name) or True
    )
    assert len(names) > 2, names

    try:
        await graph.users.by_user_id("nobody@contoso.com").get()
        sys.exit("nobody is there")
    except ODataError as error:
        assert error.error.code == "Request_ResourceNotFound", error


async def client_secret():
    credential = ClientSecretCredential(
        TENANT, os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], **SETTINGS
    )
    graph = client(credential)
    found = await graph.applications.by_application_id(os.environ["CLIENT_OBJECTID"]).get()
    same = await graph.applications_with_app_id(os.environ["CLIENT_ID"]).get()
    assert found.id == same.id
    print(json.dumps({"displayName": found.display_name}))


asyncio.run(globals()[sys.argv[1].replace("-", "_")]())
