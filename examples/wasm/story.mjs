// Plays a session against a small server: it logs in, renews, survives a drop, is refused, and closes. `session.mjs` is what
// a program takes from here.
// Usage: node story.mjs MODULE.wasm FOLDER, where the folder has `ws` in its node_modules.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { Session } from "./session.mjs";

const [modulePath, packages] = process.argv.slice(2);
const { WebSocket, WebSocketServer } = createRequire(join(resolve(packages), "story.js"))("ws");
const module = new WebAssembly.Module(readFileSync(modulePath));

let cases = 0;
let passed = 0;
function check(what, holds) {
  cases += 1;
  passed += holds ? 1 : 0;
  if (!holds) {
    console.error(`wasm: it does not hold that ${what}`);
  }
}

// Wakes whoever waits for something, whenever anything has happened.
const waiting = new Set();
function happened() {
  for (const look of waiting) {
    look();
  }
}

// Waits until the condition holds; says so if it never does.
function until(what, condition) {
  return new Promise((resolve) => {
    const patience = setTimeout(() => done(false), 10_000);
    const done = (holds) => {
      clearTimeout(patience);
      waiting.delete(look);
      check(what, holds);
      resolve();
    };
    const look = () => condition() && done(true);
    waiting.add(look);
    look();
  });
}

// Which timers are set by what happens at a later time.
function laterBy(milliseconds, happen) {
  const real = { setTimeout, now: Date.now, elapsed: performance.now };
  const delays = [];
  globalThis.setTimeout = (call, delay) => {
    delays.push(delay);
    return real.setTimeout(call, delay);
  };
  Date.now = () => real.now() + milliseconds;
  performance.now = () => real.elapsed.call(performance) + milliseconds;
  happen();
  [globalThis.setTimeout, Date.now, performance.now] = [real.setTimeout, real.now, real.elapsed];
  return delays;
}

// A server of the dialect: `{"type":"auth","token":…}` is answered as `verdict` says, everything else is echoed.
class Server {
  upgrades = [];
  tokens = [];
  closes = [];
  pings = 0;
  verdict = () => "ok";
  admits = () => true;

  constructor() {
    this.http = new WebSocketServer({
      port: 0,
      host: "127.0.0.1",
      verifyClient: ({ req }, answer) => {
        this.upgrades.push([req.url, ...req.rawHeaders].join(" "));
        answer(this.admits(), 401);
        happened();
      },
    });
    this.http.on("connection", (socket) => {
      const connection = this.upgrades.length;
      socket.on("ping", () => (this.pings += 1));
      socket.on("error", () => {});
      socket.on("close", (code) => {
        this.closes.push(code);
        happened();
      });
      socket.on("message", (data, isBinary) => {
        const message = isBinary ? null : JSON.parse(data.toString());
        if (message?.type === "auth") {
          this.tokens.push([connection, message.token]);
          const status = this.verdict(message.token);
          if (status !== "silence") {
            socket.send(JSON.stringify({ type: "auth", status, sessionId: `s-${connection}` }));
          }
        } else {
          socket.send(data, { binary: isBinary });
        }
        happened();
      });
    });
  }

  static async listen() {
    const server = new Server();
    await new Promise((resolve) => server.http.once("listening", resolve));
    return server;
  }

  get url() {
    return `ws://127.0.0.1:${this.http.address().port}/stream`;
  }

  // As a cable that is cut.
  drop() {
    for (const socket of this.http.clients) {
      socket.terminate();
    }
  }

  close() {
    return new Promise((resolve) => this.http.close(resolve));
  }
}

// A session with the tokens that it was given, and what it told.
function open(server, { lifetime = {}, settings = {} } = {}) {
  const heard = { messages: [], events: [], tokens: [], fresh: [] };
  heard.session = new Session(module, {
    url: server.url,
    dialect: "genesys",
    WebSocket,
    settings: { backoff_ms: [5, 20], ...settings },
    token: async (fresh) => {
      heard.fresh.push(fresh);
      heard.tokens.push(`secret-${heard.tokens.length + 1}`);
      return { token: heard.tokens.at(-1), ...lifetime };
    },
    onmessage: (data) => {
      heard.messages.push(data);
      happened();
    },
    onevent: (event) => {
      heard.events.push(event);
      happened();
    },
  });
  heard.count = (name) => heard.events.filter(({ event }) => event === name).length;
  return heard;
}

async function story() {
  check("the module imports nothing", WebAssembly.Module.imports(module).length === 0);
  let refused = false;
  try {
    new Session(module, { url: "ws://127.0.0.1:1", dialect: "none", WebSocket });
  } catch {
    refused = true;
  }
  check("an unknown dialect is refused", refused);

  // It logs in by its first message, and only then sends what was waiting.
  const server = await Server.listen();
  const first = open(server, { lifetime: { expiresIn: 3_600_000, renewIn: 200 } });
  first.session.send('"one"');
  first.session.send('"two"');
  check("nothing is sent before the login", first.session.waiting === 2 && first.session.state === "connecting");
  await until("what waited is echoed in order", () => first.messages.join() === '"one","two"');
  check("the session is connected", first.session.state === "connected");
  check("the first message was the login", server.tokens.join() === "1,secret-1");
  check("the answer to the login is the machine's, not the user's", first.messages.length === 2);
  check("the server's name for it is known", first.events.some(({ session_id: id }) => id === "s-1"));
  check("the credential is not in the upgrade", !server.upgrades[0].includes("secret"));

  // It renews in band, on the same connection.
  await until("it renews in band", () => first.count("token_renewed") >= 1);
  check("the second token went over the first connection", server.tokens[1].join() === "1,secret-2");
  first.session.send('"three"');
  await until("messages go on", () => first.messages.at(-1) === '"three"');

  // It survives a drop, with a token that the lost connection did not see.
  const before = first.tokens.length;
  server.drop();
  await until("the loss is told", () => first.count("connection_lost") === 1);
  first.session.send('"four"');
  await until("it is connected again, and sends what waited", () => first.messages.at(-1) === '"four"');
  check("the loss asked for another token", first.fresh[before] === true);
  const [connection, token] = server.tokens.find(([number]) => number === 2);
  check("the new connection logged in with it", connection === 2 && token === `secret-${before + 1}`);

  // A refused upgrade has no status in JavaScript: it is tried again.
  server.admits = () => server.upgrades.length % 3 === 0;
  server.drop();
  await until("it gets in after upgrades that were refused", () => first.count("authenticated") === 3);
  check("each refusal was a failed attempt", first.count("connection_lost") >= 2);
  server.admits = () => true;

  // It closes, and leaves nothing behind.
  first.session.close();
  await until("it is closed", () => first.session.state === "closed");
  await until("the server saw a close of 1000", () => server.closes.at(-1) === 1000);
  const attempts = server.upgrades.length;
  check("no connection is left", server.http.clients.size === 0);
  check("it sent no ping frame, which JavaScript can't", server.pings === 0);
  const told = JSON.stringify(first.events);
  check("no event holds a token", !told.includes("secret") && told.includes("session_closed"));

  // A server that refuses a fresh token too has decided.
  server.verdict = () => "error";
  const refusal = open(server);
  check("a session that begins takes messages", refusal.session.send('"early"'));
  await until("a session that is refused fails", () => refusal.session.state === "failed");
  check("it asked for one fresh token, and no more", refusal.fresh.join() === "false,true");
  check("after the end it takes no message", !refusal.session.send('"late"') && refusal.session.waiting === 1);
  check("what was never sent is given back", refusal.session.takeWaiting().join() === '"early"' && refusal.session.waiting === 0);
  check("it made two attempts", server.upgrades.length === attempts + 2);
  check("it says why, without the token", /refused/.test(refusal.session.error) && !refusal.session.error.includes("secret"));

  // A server that does not answer is left in time, and tried again.
  server.verdict = (token) => (token === "secret-1" ? "silence" : "ok");
  const patient = open(server, {
    settings: { answer_ms: 50 },
    lifetime: { expiresIn: 90 * 86_400_000, renewIn: 60 * 86_400_000 },
  });
  await until("a login that is not answered is given up", () => patient.count("authenticated") === 1);

  // Half a minute later nothing is left to wait for but a renewal in 60 days, longer than a timer can be.
  const delays = laterBy(31_000, () => patient.session.networkChanged());
  check("no timer is longer than a timer can be", delays.length > 0 && delays.every((delay) => delay <= 2 ** 31 - 1));
  patient.session.close();
  await until("it closes too", () => patient.session.state === "closed");
  await server.close();
}

// A timer or a socket that was left behind would keep this process from ending.
let ended = true;
process.on("exit", () => {
  check("nothing is left behind", ended);
  console.log(JSON.stringify({ cases, passed }));
});
await story();
setTimeout(() => {
  ended = false;
  process.exit();
}, 5_000).unref();
