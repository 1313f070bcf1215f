// Runs oidc-provider on free ports of loopback: an issuer over http, one that wants nonces in proofs, and one over TLS.
// Usage: node oidc_provider.mjs FOLDER-WITH-NODE_MODULES
// Reads a line with certificates, prints a line with its addresses and its clients' keys, and ends when its input does.

import { createHash, createPublicKey, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import http from "node:http";
import https from "node:https";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// Standard output is for the one line.
console.info = console.log = console.warn = console.error;

const lines = createInterface({ input: process.stdin });
lines.on("close", () => process.exit(0));
const material = JSON.parse(await new Promise((read) => lines.once("line", read)));

const folder = join(resolve(process.argv[2]), "node_modules", "oidc-provider", "lib", "index.js");
const { default: Provider, errors } = await import(pathToFileURL(folder));

function keys() {
  const pairs = {
    RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
    EdDSA: generateKeyPairSync("ed25519"),
  };
  const jwk = ([alg, pair]) => [alg, { ...pair.privateKey.export({ format: "jwk" }), alg, kid: alg, use: "sig" }];
  return Object.fromEntries(Object.entries(pairs).map(jwk));
}

const publicHalf = ({ d, p, q, dp, dq, qi, ...jwk }) => jwk;
const clientKeys = keys();
const secret = "per%cent+plus:colon and space";
const strongSecret = randomBytes(32).toString("base64url");
const service = { redirect_uris: [], response_types: [], grant_types: ["client_credentials"] };
const person = {
  application_type: "native",
  redirect_uris: ["http://127.0.0.1/callback"],
  grant_types: ["authorization_code", "refresh_token"],
  token_endpoint_auth_method: "none",
};
const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";

const clients = [
  { ...service, client_id: "basic", client_secret: secret, scope: "read write admin" },
  { ...service, client_id: "post", client_secret: secret, token_endpoint_auth_method: "client_secret_post" },
  {
    ...service,
    client_id: "secret-jwt",
    client_secret: strongSecret,
    token_endpoint_auth_method: "client_secret_jwt",
  },
  ...Object.entries(clientKeys).map(([alg, jwk]) => ({
    ...service,
    client_id: `key-${alg}`,
    token_endpoint_auth_method: "private_key_jwt",
    jwks: { keys: [publicHalf(jwk)] },
  })),
  { ...person, client_id: "person" },
  // Its tokens live five seconds.
  { ...person, client_id: "short" },
  {
    ...person,
    client_id: "device",
    redirect_uris: [],
    response_types: [],
    grant_types: [DEVICE, "refresh_token"],
  },
];

function mutualTls() {
  const certificate = new X509Certificate(material.stranger.certificate);
  const jwk = createPublicKey(certificate.publicKey.export({ type: "spki", format: "pem" })).export({ format: "jwk" });
  const bound = { ...service, tls_client_certificate_bound_access_tokens: true };
  return [
    {
      ...bound,
      client_id: "certified",
      token_endpoint_auth_method: "tls_client_auth",
      tls_client_auth_san_dns: "client.example",
    },
    {
      ...bound,
      client_id: "pinned",
      token_endpoint_auth_method: "self_signed_tls_client_auth",
      jwks: { keys: [{ ...jwk, kid: "pinned", use: "sig", x5c: [certificate.raw.toString("base64")] }] },
    },
  ];
}

const RESOURCES = {
  "https://api.example/rs256": "RS256",
  "https://api.example/es256": "ES256",
  "https://api.example/eddsa": "EdDSA",
};

function configuration(requireNonce) {
  return {
    clients: [...clients, ...mutualTls()],
    jwks: { keys: Object.values(keys()) },
    clientAuthMethods: [
      "none",
      "client_secret_basic",
      "client_secret_post",
      "client_secret_jwt",
      "private_key_jwt",
      "tls_client_auth",
      "self_signed_tls_client_auth",
    ],
    scopes: ["openid", "offline_access", "read", "write", "admin"],
    cookies: { keys: [randomBytes(16).toString("hex")] },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    rotateRefreshToken: true,
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    ttl: {
      AccessToken: (_, token, client) => (client.clientId === "short" ? 5 : 600),
      ClientCredentials: 600,
      RefreshToken: 3600,
      Grant: 3600,
      Session: 3600,
      Interaction: 600,
      IdToken: 600,
      DeviceCode: 600,
    },
    features: {
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true },
      deviceFlow: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => requireNonce },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: true,
        tlsClientAuth: true,
        getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
        certificateAuthorized: (ctx) => ctx.socket.authorized,
        certificateSubjectMatches: (ctx, property, expected) =>
          property === "tls_client_auth_san_dns" &&
          ctx.socket.getPeerX509Certificate().subjectAltName === `DNS:${expected}`,
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo(_, resource) {
          const alg = RESOURCES[resource];
          if (!alg) {
            throw new errors.InvalidTarget();
          }
          return {
            scope: "read write",
            audience: resource,
            accessTokenTTL: 600,
            accessTokenFormat: "jwt",
            jwt: { sign: { alg } },
          };
        },
      },
    },
  };
}

// A login without a browser: POST /seed?client=… answers with its first refresh token.
function seeding(provider) {
  return async (ctx, next) => {
    if (ctx.path !== "/seed" || ctx.method !== "POST") {
      return next();
    }
    const client = await provider.Client.find(ctx.query.client);
    const grant = new provider.Grant({ accountId: "alice", clientId: client.clientId });
    grant.addOIDCScope("openid offline_access read write");
    const token = new provider.RefreshToken({
      client,
      accountId: "alice",
      grantId: await grant.save(),
      gty: "authorization_code",
      scope: "openid offline_access read write",
      authTime: Math.floor(Date.now() / 1000),
      iiat: Math.floor(Date.now() / 1000),
      claims: {},
      rotations: 0,
    });
    ctx.body = await token.save();
  };
}

async function serve(server, scheme, requireNonce) {
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const issuer = `${scheme}://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration(requireNonce));
  provider.use(seeding(provider));
  server.on("request", provider.callback());
  return issuer;
}

const tls = {
  ca: material.authority,
  cert: material.server.certificate,
  key: material.server.key,
  requestCert: true,
  // Whom it lets in is for the provider to say.
  rejectUnauthorized: false,
};
const thumbprint = (pem) => createHash("sha256").update(new X509Certificate(pem).raw).digest("base64url");
const told = {
  plain: await serve(http.createServer(), "http", false),
  nonce: await serve(http.createServer(), "http", true),
  tls: await serve(https.createServer(tls), "https", false),
  keys: clientKeys,
  secret,
  strong_secret: strongSecret,
  client_thumbprint: thumbprint(material.client.certificate),
};
process.stdout.write(`${JSON.stringify(told)}\n`);
