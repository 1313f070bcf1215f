// Runs nats-server on free ports of loopback: one that knows users, and one that knows a token.
// Usage: node nats_server.mjs PROGRAM FOLDER, where the folder gets their configurations.
// Reads a line of settings: the `password` of the user `user`, the public `nkey` of another, and the `token`.
// Prints a line with the addresses, and ends when its input does. What the servers saw: see watched_sockets.mjs, but that a
// connection has the `server` that saw it, and `closed` the server's reason. /drop kills the `server` of its query, and starts
// it again where it was (`how=kill`), or asks it to end before that (`how=end`), or lets it read its configuration again,
// with another `password` of the user (`how=reload`).

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { serve, settings } from "./watched_sockets.mjs";

const [program, folder] = process.argv.slice(2);
const { password, nkey, token } = await settings();

const all = [];

// Passes signals on, and ends the server when this process is no more, however that ended.
const RUN = `
  exec 3<&0
  "$@" 3<&- & server=$!
  (while read -r signal; do kill -"$signal" $server; done <&3; kill -KILL $server) & watcher=$!
  wait $server
  kill $watcher
`;

class Server {
  #name;
  #configuration;
  #child;

  constructor(name, authorization) {
    this.#name = name;
    // A peer that answers two pings in a row with nothing is dropped.
    const websocket = { host: "127.0.0.1", port: -1, no_tls: true };
    this.#configuration = { host: "127.0.0.1", port: -1, ping_interval: "300ms", ping_max: 2, websocket, authorization };
  }

  get address() {
    return `127.0.0.1:${this.#configuration.websocket.port}`;
  }

  // Starts it, and waits until it listens.
  async start() {
    const file = join(resolve(folder), `nats-${this.#name}.conf`);
    writeFileSync(file, JSON.stringify(this.#configuration), { mode: 0o600 });
    const command = ["-c", RUN, "sh", program, "-c", file, "-DV"];
    const child = spawn("sh", command, { stdio: ["pipe", "ignore", "pipe"] });
    this.#child = child;
    const connections = new Map();
    await new Promise((listening) => {
      createInterface({ input: child.stderr }).on("line", (line) => {
        process.stderr.write(`${line}\n`);
        const port = /Listening for websocket clients on ws:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
        if (port) {
          this.#configuration.websocket.port = Number(port);
        }
        if (line.endsWith("Server is ready")) {
          listening();
        }
        this.#note(connections, line);
      });
    });
  }

  // What a line of its log says of a connection.
  #note(connections, line) {
    // Whoever said in what language it is written is known by that too.
    const [, id, said] = / - wid:(\d+) - (?:"[^"]*" - )?(.*)$/.exec(line) ?? [];
    if (said === "Client connection created") {
      connections.set(id, { server: this.#name, offered: null, events: [] });
      all.push(connections.get(id));
    }
    const events = connections.get(id)?.events;
    const [, way, text] = /^(<<-|->>) \[(.*)\]$/.exec(said) ?? [];
    const [, reason] = /^Client connection closed: (.*)$/.exec(said) ?? [];
    if (way) {
      events.push(way === "<<-" ? { in: text } : { out: text });
    } else if (reason) {
      events.push({ closed: reason });
    }
  }

  async drop(query) {
    const how = query.get("how");
    if (how === "reload") {
      this.#configuration.authorization.users[0].password = query.get("password");
      writeFileSync(join(resolve(folder), `nats-${this.#name}.conf`), JSON.stringify(this.#configuration));
      this.#child.stdin.write("HUP\n");
    } else {
      const ended = once(this.#child, "exit");
      this.#child.stdin.write(how === "end" ? "TERM\n" : "KILL\n");
      await ended;
      await this.start();
    }
  }
}

const timeout = 0.5;
const users = new Server("users", { timeout, users: [{ user: "user", password }, { nkey }] });
const tokens = new Server("token", { timeout, token });
const control = await serve(all, (query) => (query.get("server") === "token" ? tokens : users).drop(query));
await Promise.all([users.start(), tokens.start()]);
const told = { control: `127.0.0.1:${control.address().port}`, users: users.address, token: tokens.address };
process.stdout.write(`${JSON.stringify(told)}\n`);
