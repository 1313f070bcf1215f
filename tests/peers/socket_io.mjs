// Runs socket.io on a free port of loopback.
// Usage: node socket_io.mjs FOLDER-WITH-NODE_MODULES
// Reads a line of settings: `token` and `second` are let in, any other is refused.
// Prints a line with its address, and ends when its input does. What it saw: see watched_sockets.mjs; /drop says goodbye in the
// namespace (`how=namespace`), closes the transport (`how=transport`), or lets the connection fall without a word.
//
// The query of a WebSocket's URL: `delay` is how many milliseconds a login takes.

import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { serve, settings, watch } from "./watched_sockets.mjs";

const require = createRequire(join(resolve(process.argv[2]), "none.js"));
const { Server } = require("socket.io");

const { token, second } = await settings();

const all = [];
let io;
const server = await serve(all, (query) => {
  const how = query.get("how");
  if (how === "namespace") {
    io.disconnectSockets(false);
    return;
  }
  for (const { conn } of io.of("/").sockets.values()) {
    if (how === "transport") {
      conn.close();
    } else {
      conn.transport.socket.terminate();
    }
  }
});

// A peer that answers no ping is dropped after both of these milliseconds, and one that does not log in after `connectTimeout`.
io = new Server(server, { connectTimeout: 500, pingInterval: 300, pingTimeout: 300, serveClient: false });
io.engine.on("connection", ({ request, transport }) => watch(all, transport.socket, request));
io.use(async ({ handshake }, next) => {
  await new Promise((waited) => setTimeout(waited, Number(handshake.query.delay ?? 0)));
  if ([token, second].includes(handshake.auth.token)) {
    next();
    return;
  }
  const refusal = new Error("not authorized");
  refusal.data = { code: "refused" };
  next(refusal);
});
io.on("connection", (socket) => {
  socket.on("count", (to) => {
    for (let count = 1; count <= to; count += 1) {
      socket.emit("counted", count);
    }
  });
});

const address = `127.0.0.1:${server.address().port}`;
process.stdout.write(`${JSON.stringify({ address, control: address })}\n`);
