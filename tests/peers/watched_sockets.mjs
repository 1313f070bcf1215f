// What a WebSocket server saw and said, told over HTTP: shared by the servers of `cargo xtask conformance dialects`.
//
// GET /seen answers a list with a member for each connection, in the order in which they were made: the subprotocols that it
// `offered`, and its `events` in their order, each `{"in": text}`, `{"out": text}`, `{"pong": true}` or
// `{"closed": [code, reason]}`.
// POST /drop ends connections; what a server makes of the query, it says itself.

import { createServer } from "node:http";
import { createInterface } from "node:readline";

// The first line of the input. The process ends with its input.
export async function settings() {
  const lines = createInterface({ input: process.stdin });
  lines.on("close", () => process.exit(0));
  return JSON.parse(await new Promise((resolve) => lines.once("line", resolve)));
}

// Writes down what goes over a socket of ws.
export function watch(all, socket, request) {
  const events = [];
  all.push({ offered: request.headers["sec-websocket-protocol"] ?? null, events });
  socket.on("message", (data) => events.push({ in: String(data) }));
  socket.on("pong", () => events.push({ pong: true }));
  socket.on("close", (code, reason) => events.push({ closed: [code, String(reason)] }));
  const send = socket.send.bind(socket);
  socket.send = (data, ...rest) => {
    events.push({ out: String(data) });
    send(data, ...rest);
  };
}

// An HTTP server on a free port of loopback that answers as above. `drop` gets the query of the request.
export async function serve(all, drop) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://127.0.0.1");
    if (request.method === "GET" && url.pathname === "/seen") {
      response.setHeader("Content-Type", "application/json").end(JSON.stringify(all));
    } else if (request.method === "POST" && url.pathname === "/drop") {
      await drop(url.searchParams);
      response.writeHead(204).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
