/**
 * MSAL for Node. It is told the CA (NODE_EXTRA_CA_CERTS), and that the authority is one that it may believe
 * (`knownAuthorities`).
 */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  ConfidentialClientApplication,
  CryptoProvider,
  PublicClientApplication,
} from "@azure/msal-node";
import { Browser, PASSWORD, USER } from "./browser.mjs";

const { AUTHORITY, CLIENT_ID, CLIENT_SECRET, ENDPOINT, REDIRECT_URI } = process.env;
const scopes = ["User.Read"];
const settings = {
  authority: AUTHORITY,
  knownAuthorities: [new URL(AUTHORITY).host],
  clientId: CLIENT_ID,
};
const publicApp = () => new PublicClientApplication({ auth: settings });
const confidentialApp = (proof) =>
  new ConfidentialClientApplication({ auth: { ...settings, ...proof } });

const flows = {
  async "device-code"() {
    const app = publicApp();
    const deviceCodeCallback = ({ verificationUri, userCode }) =>
      new Browser().visit(verificationUri, { code: userCode });
    await asUser(app, await app.acquireTokenByDeviceCode({ scopes, deviceCodeCallback }));
  },

  async password() {
    const app = publicApp();
    const user = { username: USER, password: PASSWORD };
    await asUser(app, await app.acquireTokenByUsernamePassword({ scopes, ...user }));
  },

  async interactive() {
    const app = publicApp();
    const openBrowser = async (url) => void new Browser().visit(url);
    await asUser(app, await app.acquireTokenInteractive({ scopes, openBrowser }));
  },

  "authorization-code": () => byCode(publicApp()),

  "web-app": () => byCode(confidentialApp({ clientSecret: CLIENT_SECRET })),

  "client-secret": () => asItself(confidentialApp({ clientSecret: CLIENT_SECRET })),

  async certificate() {
    const privateKey = await readFile(process.env.CLIENT_CERTIFICATE, "utf8");
    const certificate = new X509Certificate(privateKey);
    const [sha1, sha256] = [certificate.fingerprint, certificate.fingerprint256].map(
      (fingerprint) => fingerprint.replaceAll(":", ""),
    );
    const clientCertificate = { privateKey, x5c: certificate.toString() };
    for (const thumbprint of [{ thumbprintSha256: sha256 }, { thumbprint: sha1 }]) {
      await asItself(
        confidentialApp({ clientCertificate: { ...clientCertificate, ...thumbprint } }),
      );
    }
  },

  async federated() {
    const clientAssertion = () => readFile(process.env.AZURE_FEDERATED_TOKEN_FILE, "utf8");
    await asItself(confidentialApp({ clientAssertion }));
  },
};

async function byCode(app) {
  const { challenge, verifier } = await new CryptoProvider().generatePkceCodes();
  const url = await app.getAuthCodeUrl({
    scopes,
    redirectUri: REDIRECT_URI,
    codeChallenge: challenge,
    codeChallengeMethod: "S256",
  });
  const answer = new URL(await new Browser().visit(url, { until: REDIRECT_URI }));
  const result = await app.acquireTokenByCode({
    scopes,
    redirectUri: REDIRECT_URI,
    codeVerifier: verifier,
    code: answer.searchParams.get("code"),
  });
  await asUser(app, result);
}

/** Calls Graph, then asks for the same token again: from the cache, by the refresh token, and after a sign-out. */
async function asUser(app, result) {
  await callGraph(result);
  const { account } = result;
  assert.equal(account.username, USER);
  assert.ok((await app.acquireTokenSilent({ scopes, account })).fromCache);
  const refreshed = await app.acquireTokenSilent({ scopes, account, forceRefresh: true });
  assert.ok(!refreshed.fromCache);
  await app.getTokenCache().removeAccount(account);
  await assert.rejects(app.acquireTokenSilent({ scopes, account }));
}

async function asItself(app) {
  const scopes = ["https://graph.microsoft.com/.default"];
  await callGraph(await app.acquireTokenByClientCredential({ scopes }));
  assert.ok((await app.acquireTokenByClientCredential({ scopes })).fromCache);
}

async function callGraph({ accessToken }) {
  const headers = { authorization: `Bearer ${accessToken}` };
  const answer = await fetch(ENDPOINT, { headers });
  assert.ok(answer.ok, await answer.clone().text());
  console.log(JSON.stringify(await answer.json()));
}

await flows[process.argv[2]]();
