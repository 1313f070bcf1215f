// Runs ably-js against a server: reads a setup (JSON) from standard input, writes what came of each case, a JSON object a line.
// What should have come of it is not known here. Usage: node ably_rest.mjs FOLDER-WITH-NODE_MODULES

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

import { served } from "./served.mjs";

const require = createRequire(join(resolve(process.argv[2]), "peers.js"));
const { Rest } = require("ably");
const { host, port, key, revocable, jwt, narrowJwt, expiredJwt, forgedJwt, foreignJwt, ivyJwt } = JSON.parse(readFileSync(0, "utf8"));

// Ably's library can repeat a request without an end: its issue 2193.
setTimeout(() => process.exit(3), 120_000).unref();

const client = (options) =>
  new Rest({ endpoint: host, port, tls: false, useBinaryProtocol: false, logLevel: 0, ...options });
const owner = client({ key });
const reissuer = client({ key: revocable });
const [keyName, keySecret] = key.split(":");
const otherKey = ({ name = keyName, secret = keySecret }) => `${name}:${secret}`;

/** What is known about a token, without what differs from run to run. */
const shown = ({ token, issued, expires, capability, clientId }) => ({
  app: token.split(".")[0],
  lifetime: expires - issued,
  capability,
  clientId: clientId ?? null,
});
const publish = (rest, channel = "chat:lobby", message = { name: "greeting", data: "hello" }) =>
  rest.channels.get(channel).publish(message);
const published = async (rest, ...message) => ((await publish(rest, ...message)) ? "published" : "nothing");

/** A callback of the library, which knows promises only in part: what is thrown there is lost. */
const callback = (make) => (params, done) =>
  Promise.resolve()
    .then(() => make(params))
    .then(
      (token) => done(null, token),
      (error) => done(error, null),
    );

/**
 * What the server answers to whoever presents a token, as the library tells its log: to its caller it says 40171 when it has
 * no way to a new token.
 */
async function told(token) {
  const codes = [];
  const logHandler = (text) => codes.push(...(text.match(/(?<=Received Error.*; code=)\d+/s) ?? []).map(Number));
  const came = await outcome(() => published(client({ token, logLevel: 4, logHandler })));
  return came.ok ?? codes;
}

const cases = {
  the_time: async () => Math.abs((await client({ key }).time()) - Date.now()) < 60_000,
  exchange: async () =>
    shown(
      await owner.auth.requestToken({
        clientId: "alice",
        ttl: 60_000,
        capability: { "chat:lobby": ["publish", "presence"], elsewhere: ["*"] },
      }),
    ),
  exchange_of_nothing_in_particular: async () => shown(await owner.auth.requestToken()),
  exchange_with_the_servers_time: async () =>
    shown(await client({ key, queryTime: true }).auth.requestToken({ ttl: 5_000 })),
  exchange_of_odd_names: async () =>
    shown(await owner.auth.requestToken({ clientId: "zoë ☃", capability: { "chat:é ☃": ["publish"] } })),
  authorize: async () => shown(await client({ key }).auth.authorize({ clientId: "*" })),
  basic_publish: () => published(owner),
  basic_history: async () => (await owner.channels.get("chat:lobby").history()).items.length,
  basic_publish_without_capability: () => published(owner, "news"),
  basic_message_of_any_client: () => published(owner, "chat:lobby", { data: "x", clientId: "bob" }),
  basic_wrong_secret: () => published(client({ key: otherKey({ secret: "wrong" }) })),
  basic_unknown_key: () => published(client({ key: otherKey({ name: "appid1.unknown" }) })),
  basic_as_a_client: () => published(client({ key, clientId: "zoë ☃" })),
  token_publish: async () => published(client({ tokenDetails: await owner.auth.requestToken() })),
  token_history: async () => {
    const rest = client({ tokenDetails: await owner.auth.requestToken() });
    return (await rest.channels.get("chat:lobby").history()).items.length;
  },
  token_publish_without_capability: async () => {
    const token = await owner.auth.requestToken({ capability: { "chat:*": ["subscribe"] } });
    return published(client({ tokenDetails: token }));
  },
  token_publish_outside_the_keys_capability: async () =>
    published(client({ tokenDetails: await owner.auth.requestToken() }), "news"),
  token_of_a_channel_elsewhere: async () => {
    const token = await owner.auth.requestToken({ capability: { "chat:lobby": ["publish"] } });
    return published(client({ tokenDetails: token }), "chat:hall");
  },
  expired_token: async () => {
    const { token } = await owner.auth.requestToken({ ttl: 1 });
    await new Promise((over) => setTimeout(over, 5));
    return told(token);
  },
  unknown_token: () => told("appid1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
  expired_jwt: () => told(expiredJwt),
  forged_jwt: () => told(forgedJwt),
  jwt_of_an_unknown_app: () => published(client({ token: foreignJwt })),
  junk_token: () => published(client({ token: "fake" })),
  jwt_publish: () => published(client({ token: jwt })),
  jwt_publish_without_capability: () => published(client({ token: narrowJwt })),
  jwt_message_of_its_client: () => published(client({ token: jwt }), "chat:lobby", { data: "x", clientId: "alice" }),
  jwt_message_of_another_client: () =>
    published(client({ token: jwt }), "chat:lobby", { data: "x", clientId: "bob" }),
  jwt_of_another_client: () => published(client({ token: jwt, clientId: "bob" })),
  jwt_by_callback: () => published(client({ authCallback: callback(() => jwt) })),
  jwt_by_url: () => served("application/jwt", () => jwt, (authUrl) => published(client({ authUrl }))),
  request_by_callback: () =>
    published(client({ authCallback: callback((params) => owner.auth.createTokenRequest(params)) })),
  details_by_callback: () =>
    published(client({ authCallback: callback((params) => owner.auth.requestToken(params)) })),
  request_by_url: () =>
    served(
      "application/json",
      async (query) => JSON.stringify(await owner.auth.createTokenRequest({ clientId: query.get("who") })),
      async (authUrl) => shown(await client({ authUrl }).auth.authorize()),
    ),
  token_by_url: () =>
    served(
      "text/plain",
      async () => (await owner.auth.requestToken()).token,
      (authUrl) => published(client({ authUrl })),
    ),
  expiry_before_the_next_request: async () => {
    let asked = 0;
    const rest = client({
      queryTime: true, // Without the server's time, the library does not look at the expiry.
      authCallback: callback(() => {
        asked += 1;
        return owner.auth.requestToken({ ttl: 1_000 });
      }),
    });
    await rest.time();
    await publish(rest);
    await new Promise((over) => setTimeout(over, 1_200));
    return { came: await published(rest), asked };
  },
  expiry_told_by_the_server: async () => {
    // The library repeats the request with the old header for as long as its callback gives tokens.
    let asked = 0;
    const rest = client({
      authCallback: callback(() => {
        asked += 1;
        if (asked > 3) throw { code: 40300, statusCode: 403, message: "enough" };
        return asked === 1 ? expiredJwt : jwt;
      }),
    });
    try {
      return { came: await published(rest), asked };
    } catch (error) {
      return { came: error.code, asked };
    }
  },
  wrong_mac: () => client({ key: otherKey({ secret: "wrong" }) }).auth.requestToken(),
  forged_mac: () => owner.auth.requestToken({ mac: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }),
  changed_after_signing: async () => {
    const request = await owner.auth.createTokenRequest({ clientId: "alice" });
    return client({ authCallback: callback(() => ({ ...request, clientId: "eve" })) }).auth.requestToken();
  },
  old_timestamp: () => owner.auth.requestToken({ timestamp: Date.now() - 600_000 }),
  replayed_nonce: async () => {
    const request = await owner.auth.createTokenRequest();
    const rest = client({ authCallback: callback(() => request) });
    shown(await rest.auth.requestToken());
    return rest.auth.requestToken();
  },
  no_intersection: () => owner.auth.requestToken({ capability: { news: ["publish"] } }),
  unknown_operation: () => owner.auth.requestToken({ capability: { "chat:a": ["publish_"] } }),
  no_operations: () => owner.auth.requestToken({ capability: { "chat:a": [] } }),
  wildcard_with_others: () => owner.auth.requestToken({ capability: { "chat:a": ["*", "publish"] } }),
  ttl_negative: () => owner.auth.requestToken({ ttl: -1 }),
  ttl_too_long: () => owner.auth.requestToken({ ttl: 86_400_001 }),
  ttl_too_long_to_be_revoked: () => reissuer.auth.requestToken({ ttl: 3_600_001 }),
  unknown_key: () => client({ key: otherKey({ name: "appid1.unknown" }) }).auth.requestToken(),
  unknown_app: () => client({ key: otherKey({ name: "unknown.keyid1" }) }).auth.requestToken(),
  client_ids_that_differ: async () => {
    const { token } = await owner.auth.requestToken({ clientId: "alice" });
    return published(client({ token, clientId: "bob" }));
  },
  wildcard_token_as_a_client: async () => {
    const { token } = await owner.auth.requestToken({ clientId: "*" });
    return published(client({ token, clientId: "bob" }));
  },
  revocation: async () => {
    const ivy = await reissuer.auth.requestToken({ clientId: "ivy" });
    const eve = await reissuer.auth.requestToken({ clientId: "eve" });
    const before = await published(client({ tokenDetails: ivy }));
    await new Promise((over) => setTimeout(over, 5));
    const result = await reissuer.auth.revokeTokens([
      { type: "clientId", value: "ivy" },
      { type: "bogus", value: "x" },
    ]);
    return {
      before,
      successes: result.successCount,
      failures: result.failureCount,
      results: result.results.map(({ target, error }) => ({ target, code: error?.code ?? null })),
      after: await told(ivy.token),
      jwt: await told(ivyJwt),
      bystander: await published(client({ tokenDetails: eve })),
      next: await published(client({ tokenDetails: await reissuer.auth.requestToken({ clientId: "ivy" }) })),
    };
  },
  revocation_with_margin: async () => {
    const token = await reissuer.auth.requestToken({ clientId: "mel" });
    const start = Date.now();
    const { results } = await reissuer.auth.revokeTokens([{ type: "clientId", value: "mel" }], {
      allowReauthMargin: true,
    });
    return { later: results[0].appliesAt > start + 29_000, now: await published(client({ tokenDetails: token })) };
  },
  revocation_of_what_can_not_be_revoked: () => owner.auth.revokeTokens([{ type: "clientId", value: "ivy" }]),
  revocation_issued_before_the_future: () =>
    reissuer.auth.revokeTokens([{ type: "clientId", value: "ivy" }], { issuedBefore: Date.now() + 600_000 }),
  binary_protocol: () => published(client({ key, useBinaryProtocol: true })),
};

async function outcome(run) {
  try {
    return { ok: await run() };
  } catch (error) {
    return { code: error.code ?? null, status: error.statusCode ?? null, text: String(error.message) };
  }
}

for (const [name, run] of Object.entries(cases)) {
  process.stdout.write(`${JSON.stringify({ case: name, came: await outcome(run) })}\n`);
}
