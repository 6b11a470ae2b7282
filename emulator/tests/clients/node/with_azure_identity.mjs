/**
 * @azure/identity. It is told the CA (NODE_EXTRA_CA_CERTS), the authority's host, and that this host is none of the
 * well-known ones (`disableInstanceDiscovery`).
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  AuthorizationCodeCredential,
  ClientAssertionCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
  DeviceCodeCredential,
  EnvironmentCredential,
  InteractiveBrowserCredential,
  UsernamePasswordCredential,
  WorkloadIdentityCredential,
} from "@azure/identity";
import { Browser, PASSWORD, USER } from "./browser.mjs";

const { AUTHORITY, CLIENT_ID, CLIENT_SECRET, ENDPOINT, REDIRECT_URI } = process.env;
const { CLIENT_CERTIFICATE, AZURE_FEDERATED_TOKEN_FILE } = process.env;
const { origin: authorityHost, pathname } = new URL(AUTHORITY);
const tenantId = pathname.slice(1);
const clientId = CLIENT_ID;
const settings = { authorityHost, disableInstanceDiscovery: true };
const readScope = "https://graph.microsoft.com/User.Read";

const flows = {
  async "device-code"() {
    const userPromptCallback = ({ verificationUri, userCode }) =>
      void new Browser().visit(verificationUri, { code: userCode });
    await asUser(
      new DeviceCodeCredential({ tenantId, clientId, userPromptCallback, ...settings }),
    );
  },

  async password() {
    await asUser(new UsernamePasswordCredential(tenantId, clientId, USER, PASSWORD, settings));
  },

  async interactive() {
    process.env.BROWSER = `node ${fileURLToPath(new URL("browser.mjs", import.meta.url))}`;
    await asUser(new InteractiveBrowserCredential({ tenantId, clientId, ...settings }));
  },

  async "authorization-code"() {
    const page = new URL(`${AUTHORITY}/oauth2/v2.0/authorize`);
    page.search = new URLSearchParams({
      client_id: clientId,
      response_type: "code",
      redirect_uri: REDIRECT_URI,
      scope: `${readScope} offline_access`,
    });
    const answer = new URL(await new Browser().visit(page, { until: REDIRECT_URI }));
    const code = answer.searchParams.get("code");
    const proof = CLIENT_SECRET ? [CLIENT_SECRET] : [];
    await callGraph(
      new AuthorizationCodeCredential(
        tenantId, clientId, ...proof, code, REDIRECT_URI, settings,
      ),
      readScope,
    );
  },

  async "client-secret"() {
    await asItself(new ClientSecretCredential(tenantId, clientId, CLIENT_SECRET, settings));
  },

  async environment() {
    process.env.AZURE_TENANT_ID = tenantId;
    process.env.AZURE_CLIENT_ID = clientId;
    process.env.AZURE_CLIENT_SECRET = CLIENT_SECRET;
    process.env.AZURE_AUTHORITY_HOST = authorityHost;
    await asItself(new EnvironmentCredential({ disableInstanceDiscovery: true }));
  },

  async certificate() {
    for (const sendCertificateChain of [false, true]) {
      const options = { ...settings, sendCertificateChain };
      await asItself(
        new ClientCertificateCredential(tenantId, clientId, CLIENT_CERTIFICATE, options),
      );
    }
  },

  async federated() {
    const tokenFilePath = AZURE_FEDERATED_TOKEN_FILE;
    const assertion = () => readFile(tokenFilePath, "utf8");
    await asItself(new ClientAssertionCredential(tenantId, clientId, assertion, settings));
    const file = { tenantId, clientId, tokenFilePath };
    await asItself(new WorkloadIdentityCredential({ ...file, ...settings }));
  },
};

/** Calls Graph, then asks for a token of another permission, which is the refresh token's doing. */
async function asUser(credential) {
  const first = await callGraph(credential, readScope);
  assert.equal((await credential.getToken(readScope)).token, first);
  const other = await credential.getToken("https://graph.microsoft.com/User.ReadBasic.All");
  assert.notEqual(other.token, first);
}

async function asItself(credential) {
  const scope = "https://graph.microsoft.com/.default";
  const first = await callGraph(credential, scope);
  assert.equal((await credential.getToken(scope)).token, first);
}

async function callGraph(credential, scope) {
  const { token } = await credential.getToken(scope);
  const answer = await fetch(ENDPOINT, { headers: { authorization: `Bearer ${token}` } });
  assert.ok(answer.ok, await answer.clone().text());
  console.log(JSON.stringify(await answer.json()));
  return token;
}

await flows[process.argv[2]]();
