// Runs ably-js's realtime client against a server: reads a setup (JSON) from standard input, writes what came of each case, a JSON
// object a line. What should have come of it is not known here. Usage: node ably_realtime.mjs FOLDER-WITH-NODE_MODULES

import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

import { served } from "./served.mjs";

const require = createRequire(join(resolve(process.argv[2]), "peers.js"));
const { Realtime, Rest } = require("ably");
const { host, port, key } = JSON.parse(readFileSync(0, "utf8"));
const [keyName, keySecret] = key.split(":");

const common = { endpoint: host, port, tls: false, useBinaryProtocol: false, logLevel: 0 };
const owner = new Rest({ ...common, key });
const clients = [];

/** How long anything may take. */
const PATIENCE = 20_000;

function client(options) {
  const realtime = new Realtime({ ...common, ...options });
  clients.push(realtime);
  return realtime;
}

/** What an event brings; an error that `refused` finds in the meantime, or the end of the patience, otherwise. */
function when(emitter, event, refused) {
  return new Promise((fulfil, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} in time`)), PATIENCE);
    emitter.once(event, (change) => {
      clearTimeout(timer);
      fulfil(change);
    });
    for (const other of refused) {
      emitter.once(other, (change) => {
        clearTimeout(timer);
        reject(change.reason ?? new Error(other));
      });
    }
  });
}

/** Connects; whatever else happens first is an error. */
async function connected(options) {
  const realtime = client(options);
  await when(realtime.connection, "connected", ["disconnected", "suspended", "failed"]);
  return realtime;
}

/** Why a connection fails. */
async function failure(options) {
  return (await when(client(options).connection, "failed", ["connected", "suspended"])).reason;
}

const numbers = ({ code, statusCode }) => [code, statusCode];

/** A callback of the library, which knows promises only in part: what is thrown there is lost. */
const callback = (make) => (params, done) =>
  Promise.resolve()
    .then(() => make(params))
    .then(
      (token) => done(null, token),
      (error) => done(error, null),
    );

/** Tokens with these parameters, and how many were asked for. */
function tokens(...parameters) {
  const asked = { count: 0 };
  asked.authCallback = callback(() => {
    const these = parameters[Math.min(asked.count, parameters.length - 1)];
    asked.count += 1;
    return typeof these === "string" ? these : owner.auth.requestToken(these);
  });
  return asked;
}

const token = async (params) => (await owner.auth.requestToken(params)).token;
const wait = (time) => new Promise((over) => setTimeout(over, time));
const everything = { "chat:*": ["*"] };

/** The states that a connection goes through from now on. */
function states(realtime) {
  const seen = [];
  realtime.connection.on((change) => seen.push(change.current));
  return seen;
}

function jwt(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ typ: "JWT", alg: "HS256", kid: keyName })}.${part({ iat: now - 1, exp: now + 600, ...claims })}`;
  return `${signed}.${createHmac("sha256", keySecret).update(signed).digest("base64url")}`;
}

const who = (realtime) => realtime.auth.clientId ?? [realtime.connection.state, null];
const attach = async (realtime, name, options) => {
  const channel = realtime.channels.get(name, options);
  await channel.attach();
  return channel;
};
/** What an operation is refused with. */
const refusal = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return numbers(error);
  }
  return "not refused";
};

const cases = {
  by_key: async () => who(await connected({ key })),
  by_key_as_a_client: async () => who(await connected({ key, clientId: "zoë ☃" })),
  by_token: async () => who(await connected({ token: await token({ clientId: "alice" }) })),
  by_anonymous_token: async () => who(await connected({ token: await token() })),
  by_jwt: async () => who(await connected({ token: jwt({ "x-ably-clientId": "alice" }) })),
  by_callback: async () => {
    const { authCallback } = tokens({ clientId: "alice" });
    return who(await connected({ authCallback }));
  },
  by_signed_request: async () =>
    who(await connected({ authCallback: callback(() => owner.auth.createTokenRequest({ clientId: "alice" })) })),
  by_url: () =>
    served(
      "application/json",
      async (query) => JSON.stringify(await owner.auth.createTokenRequest({ clientId: query.get("who") })),
      async (authUrl) => who(await connected({ authUrl })),
    ),
  jwt_by_url: () =>
    served(
      "application/jwt",
      () => jwt({ "x-ably-clientId": "alice" }),
      async (authUrl) => who(await connected({ authUrl })),
    ),
  // Each of these connects with what is right, too.
  wrong_key: async () => [
    (await connected({ key })).connection.state,
    numbers(await failure({ key: `${keyName}:wrong` })),
    numbers(await failure({ key: "appid1.unknown:wrong" })),
  ],
  wrong_token: async () => [
    (await connected({ token: await token() })).connection.state,
    numbers(await failure({ token: "fake" })),
    numbers(await failure({ token: `${await token()}x` })),
  ],
  binary_protocol: async () => [(await connected({ key })).connection.state, numbers(await failure({ key, useBinaryProtocol: true }))],
  client_ids_that_differ: async () => numbers(await failure({ token: await token({ clientId: "alice" }), clientId: "bob" })),
  anonymous_token_as_a_client: async () => numbers(await failure({ token: await token(), clientId: "bob" })),
  wildcard_token_as_a_client: async () => who(await connected({ token: await token({ clientId: "*" }), clientId: "bob" })),
  expired_token_at_first: async () => {
    const expired = await token({ ttl: 1 });
    await wait(5);
    const asked = tokens(expired, {});
    const realtime = client({ authCallback: asked.authCallback });
    await when(realtime.connection, "connected", ["failed"]);
    return asked.count;
  },
  expired_token_without_another: async () => {
    const expired = await token({ ttl: 1 });
    await wait(5);
    return numbers(await failure({ token: expired }));
  },
  upgrade_in_place: async () => {
    const asked = tokens({ capability: { "chat:a": ["*"] } }, { capability: everything });
    const realtime = await connected({ authCallback: asked.authCallback });
    const { id, key } = realtime.connection;
    const before = await refusal(attach(realtime, "chat:b"));
    const seen = states(realtime);
    await realtime.auth.authorize();
    const channel = await attach(realtime, "chat:b");
    await channel.publish("x", "y");
    return [before, seen, id === realtime.connection.id, key === realtime.connection.key, channel.state, asked.count];
  },
  downgrade_in_place: async () => {
    const asked = tokens({ capability: everything }, { capability: { "chat:b": ["subscribe"] } });
    const realtime = await connected({ authCallback: asked.authCallback });
    const [lost, kept] = [await attach(realtime, "chat:a"), await attach(realtime, "chat:b")];
    const failed = when(lost, "failed", []);
    await realtime.auth.authorize();
    return [
      numbers((await failed).reason),
      kept.state,
      await refusal(kept.publish("x", "y")),
      realtime.connection.state,
    ];
  },
  authorize_from_the_key: async () => {
    const realtime = await connected({ key });
    const id = realtime.connection.id;
    const details = await realtime.auth.authorize({ clientId: "alice" });
    return [details.clientId, who(realtime), id === realtime.connection.id];
  },
  authorize_as_another: async () => {
    // Texts, so that the library can't tell by itself.
    const asked = tokens(await token({ clientId: "alice" }), await token({ clientId: "bob" }));
    const realtime = await connected({ authCallback: asked.authCallback });
    const failed = when(realtime.connection, "failed", []);
    return [await refusal(realtime.auth.authorize()), numbers((await failed).reason)];
  },
  expiry_renews: async () => {
    const asked = tokens({ ttl: 3_000 }, { ttl: 600_000 });
    const realtime = await connected({ authCallback: asked.authCallback });
    const channel = await attach(realtime, "chat:expiry");
    const { id } = realtime.connection;
    const expired = await when(realtime.connection, "disconnected", ["failed"]);
    const back = await when(realtime.connection, "connected", ["failed"]);
    const next = new Promise((fulfil) => channel.subscribe(fulfil));
    await channel.publish("after", "all");
    const renamed = id !== realtime.connection.id;
    return [numbers(expired.reason), numbers(back.reason), renamed, asked.count, (await next).name];
  },
  expiry_without_another: async () => {
    const realtime = await connected({ token: await token({ ttl: 1_500 }) });
    return numbers((await when(realtime.connection, "failed", [])).reason);
  },
  asked_by_the_server: async () => {
    const asked = tokens({ ttl: 8_000 }, { ttl: 600_000 });
    const realtime = await connected({ authCallback: asked.authCallback });
    const id = realtime.connection.id;
    const seen = states(realtime);
    await when(realtime.connection, "update", ["disconnected", "failed"]);
    await wait(4_500); // The first token is expired then.
    return [id === realtime.connection.id, asked.count, seen, realtime.connection.state];
  },
  revocation: async () => {
    const asked = tokens({ clientId: "ivy" });
    const realtime = await connected({ authCallback: asked.authCallback });
    const stuck = await connected({ token: await token({ clientId: "ivy" }) });
    const bystander = await connected({ token: await token({ clientId: "eve" }) });
    const seen = states(bystander);
    const disconnected = when(realtime.connection, "disconnected", ["failed"]);
    const failed = when(stuck.connection, "failed", []);
    await wait(5);
    await owner.auth.revokeTokens([{ type: "clientId", value: "ivy" }]);
    const { reason } = await disconnected;
    await when(realtime.connection, "connected", ["failed"]);
    return [numbers(reason), asked.count, numbers((await failed).reason), seen];
  },
  revocation_with_margin: async () => {
    const asked = tokens({ clientId: "mel" });
    const realtime = await connected({ authCallback: asked.authCallback });
    const updated = when(realtime.connection, "update", ["disconnected", "failed"]);
    await wait(5);
    await owner.auth.revokeTokens([{ type: "clientId", value: "mel" }], { allowReauthMargin: true });
    await updated;
    return [asked.count, realtime.connection.state];
  },
  round_trip: async () => {
    const publisher = await connected({ token: await token({ clientId: "alice" }) });
    const subscriber = await connected({ token: await token({ clientId: "bob", capability: { "chat:trip": ["subscribe"] } }) });
    const channel = subscriber.channels.get("chat:trip");
    const next = new Promise((fulfil) => channel.subscribe("greet", fulfil));
    await channel.attach();
    await publisher.channels.get("chat:trip").publish("greet", { hello: "wörld" });
    const message = await next;
    return [message.data, message.clientId, message.connectionId === publisher.connection.id];
  },
  rest_to_realtime: async () => {
    const subscriber = await connected({ key });
    const channel = subscriber.channels.get("chat:rest");
    const next = new Promise((fulfil) => channel.subscribe(fulfil));
    await channel.attach();
    await owner.channels.get("chat:rest").publish("greet", "by REST");
    return (await next).data;
  },
  echo: async () => {
    const [loud, silent] = [await connected({ key }), await connected({ key, echoMessages: false })];
    const seen = { loud: [], silent: [] };
    const channels = { loud: loud.channels.get("chat:echo"), silent: silent.channels.get("chat:echo") };
    for (const [name, channel] of Object.entries(channels)) {
      await channel.subscribe((message) => seen[name].push(message.data));
    }
    await channels.silent.publish("x", "of silent");
    const last = Object.values(channels).map((channel) => new Promise((fulfil) => channel.subscribe("last", fulfil)));
    await channels.loud.publish("last", "of loud");
    await Promise.all(last);
    return seen;
  },
  refused_on_channels: async () => {
    const realtime = await connected({ key });
    const news = await attach(realtime, "news");
    return [
      await refusal(attach(realtime, "secret")),
      realtime.channels.get("secret").state,
      await refusal(news.publish("x", "y")),
      await refusal(realtime.channels.get(":bad").attach()),
      news.modes,
      realtime.connection.state,
    ];
  },
  detach: async () => {
    const realtime = await connected({ key });
    const channel = await attach(realtime, "chat:detach");
    await channel.detach();
    return channel.state;
  },
  presence: async () => {
    const realtime = await connected({ token: await token({ clientId: "alice" }) });
    await (await attach(realtime, "chat:presence")).presence.enter();
    return refusal((await attach(realtime, "news")).presence.enter());
  },
  ping: async () => (await (await connected({ key })).connection.ping()) < PATIENCE,
  close: async () => {
    const realtime = await connected({ key });
    const closed = when(realtime.connection, "closed", ["failed"]);
    realtime.close();
    return (await closed).previous;
  },
};

async function outcome(run) {
  try {
    return { ok: await run() };
  } catch (error) {
    return { code: error.code ?? null, status: error.statusCode ?? null, text: String(error.message) };
  }
}

// All at once: most of the time of a case goes by waiting.
await Promise.all(
  Object.entries(cases).map(async ([name, run]) => {
    const overdue = wait(PATIENCE + 5_000).then(() => ({ code: null, status: null, text: "no end in time" }));
    const came = await Promise.race([outcome(run), overdue]);
    process.stdout.write(`${JSON.stringify({ case: name, came })}\n`);
  }),
);
for (const realtime of clients) realtime.close();
process.exit(0);
