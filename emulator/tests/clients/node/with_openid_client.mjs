/**
 * openid-client, which is certified for OpenID Connect and knows nothing of Entra ID. It is told the CA
 * (NODE_EXTRA_CA_CERTS) and the issuer; its own validation is all on, with the signature checked as well.
 */

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import * as client from "openid-client";
import { Browser, PASSWORD, USER } from "./browser.mjs";

const { AUTHORITY, CLIENT_ID, CLIENT_SECRET, ENDPOINT, REDIRECT_URI } = process.env;
const scope = "openid profile email offline_access User.Read";

/** What the provider says of itself; `proof` is how this client proves itself. */
async function provider(proof) {
  const config = await client.discovery(new URL(`${AUTHORITY}/v2.0`), CLIENT_ID, {}, proof);
  client.enableNonRepudiationChecks(config);
  return config;
}

const flows = {
  async "device-code"() {
    const config = await provider(client.None());
    const flow = await client.initiateDeviceAuthorization(config, { scope });
    await new Browser().visit(flow.verification_uri, { code: flow.user_code });
    await asUser(config, await client.pollDeviceAuthorizationGrant(config, flow));
  },

  async password() {
    const config = await provider(client.None());
    const user = { username: USER, password: PASSWORD };
    await asUser(config, await client.genericGrantRequest(config, "password", { scope, ...user }));
  },

  async "authorization-code"() {
    await byCode(await provider(client.None()));
  },

  async "web-app"() {
    const config = await provider(client.ClientSecretPost(CLIENT_SECRET));
    const browser = await byCode(config);
    const address = REDIRECT_URI.replace(/[^/]*$/, "");
    const logout = client.buildEndSessionUrl(config, {
      post_logout_redirect_uri: address,
      state: "back",
    });
    assert.equal(await browser.visit(logout, { until: address }), `${address}?state=back`);
    browser.asked.length = 0;
    await byCode(config, browser);
    assert.ok(browser.asked.includes("password"), "still signed in after the sign-out");
  },

  /** The ID token comes with the code, so that the user is known before the code is redeemed. */
  async hybrid() {
    const config = await provider(client.ClientSecretBasic(CLIENT_SECRET));
    client.useCodeIdTokenResponseType(config);
    await byCode(config, new Browser(), { response_mode: "fragment" });
  },

  async implicit() {
    const config = await provider(client.None());
    client.useIdTokenResponseType(config);
    const nonce = client.randomNonce();
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT_URI,
      scope: "openid profile",
      nonce,
    });
    const answer = await new Browser().visit(url, { until: REDIRECT_URI });
    const claims = await client.implicitAuthentication(config, new URL(answer), nonce);
    console.log(JSON.stringify({ displayName: claims.name }));
  },

  async "client-secret"() {
    await asItself(await provider(client.ClientSecretPost(CLIENT_SECRET)));
    await asItself(await provider(client.ClientSecretBasic(CLIENT_SECRET)));
  },

  async certificate() {
    const pem = await readFile(process.env.CLIENT_CERTIFICATE, "utf8");
    const thumbprint = new X509Certificate(pem).fingerprint256.replaceAll(":", "");
    const der = createPrivateKey(pem).export({ type: "pkcs8", format: "der" });
    const algorithm = { name: "RSA-PSS", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
    const proof = client.PrivateKeyJwt(key, {
      [client.modifyAssertion](header) {
        header["x5t#S256"] = Buffer.from(thumbprint, "hex").toString("base64url");
      },
    });
    await asItself(await provider(proof));
  },

  async federated() {
    const assertion = await readFile(process.env.AZURE_FEDERATED_TOKEN_FILE, "utf8");
    const proof = (_server, { client_id }, body) => {
      body.set("client_id", client_id);
      body.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
      body.set("client_assertion", assertion);
    };
    await asItself(await provider(proof));
  },
};

async function byCode(config, browser = new Browser(), options = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI,
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    nonce: expectedNonce,
    ...options,
  });
  const answer = await browser.visit(url, { until: REDIRECT_URI });
  const checks = { pkceCodeVerifier, expectedState, expectedNonce };
  await asUser(config, await client.authorizationCodeGrant(config, new URL(answer), checks));
  return browser;
}

async function asUser(config, tokens) {
  await callGraph(config, tokens);
  const { sub } = tokens.claims();
  const profile = await client.fetchUserInfo(config, tokens.access_token, sub);
  assert.equal(profile.name, "Contoso Employee");
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.equal(refreshed.claims().sub, sub);
}

async function asItself(config) {
  const scope = "https://graph.microsoft.com/.default";
  await callGraph(config, await client.clientCredentialsGrant(config, { scope }));
}

async function callGraph(config, { access_token }) {
  const answer = await client.fetchProtectedResource(
    config, access_token, new URL(ENDPOINT), "GET",
  );
  assert.ok(answer.ok, await answer.clone().text());
  console.log(JSON.stringify(await answer.json()));
}

await flows[process.argv[2]]();
