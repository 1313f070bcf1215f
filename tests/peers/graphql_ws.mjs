// Runs graphql-ws over ws on a free port of loopback.
// Usage: node graphql_ws.mjs FOLDER-WITH-NODE_MODULES
// Reads a line of settings: `token` and `second` are let in, `throws` makes the hook throw, and any other is
// forbidden.
// Prints a line with its address, and ends when its input does. What it saw: see watched_sockets.mjs; /drop closes with the
// `code` and the `reason` of its query, or without a word if there is no code.
//
// The query of a WebSocket's URL: `delay` is how many milliseconds the hook takes.

import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { serve, settings, watch } from "./watched_sockets.mjs";

// The packages for require: its copy of graphql must be the one that graphql-ws gets.
const require = createRequire(join(resolve(process.argv[2]), "none.js"));
const { useServer } = require("graphql-ws/use/ws");
const { buildSchema } = require("graphql");
const { WebSocketServer } = require("ws");

const { token, second, throws } = await settings();

const schema = buildSchema("type Query { hello: String } type Subscription { count(to: Int!): Int }");
const roots = {
  query: { hello: () => "world" },
  subscription: {
    count: async function* ({ to }) {
      for (let count = 1; count <= to; count += 1) {
        yield { count };
      }
    },
  },
};

const all = [];
let sockets;
const server = await serve(all, (query) => {
  for (const socket of sockets.clients) {
    if (query.has("code")) {
      socket.close(Number(query.get("code")), query.get("reason") ?? "");
    } else {
      socket.terminate();
    }
  }
});

sockets = new WebSocketServer({ server });
sockets.on("connection", (socket, request) => watch(all, socket, request));

const options = {
  schema,
  roots,
  connectionInitWaitTimeout: 500,
  onConnect: async ({ connectionParams, extra }) => {
    const { searchParams } = new URL(extra.request.url, "http://127.0.0.1");
    await new Promise((waited) => setTimeout(waited, Number(searchParams.get("delay"))));
    const presented = connectionParams?.token ?? connectionParams?.Authorization?.replace(/^Bearer /, "");
    if (presented === throws) {
      throw new Error("the hook threw");
    }
    return [token, second].includes(presented);
  },
};
// A peer that answers no ping is dropped after two of these milliseconds.
useServer(options, sockets, 300);

const address = `127.0.0.1:${server.address().port}`;
process.stdout.write(`${JSON.stringify({ address, control: address })}\n`);
