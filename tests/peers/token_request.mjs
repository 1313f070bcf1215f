// Signs token requests with ably-js: reads parameter sets as JSON lines, writes what the library would send.
// Usage: node token_request.mjs FOLDER-WITH-NODE_MODULES

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const require = createRequire(join(resolve(process.argv[2]), "peers.js"));
const { Rest } = require("ably");

const clients = new Map();
function client(key) {
  if (!clients.has(key)) {
    clients.set(key, new Rest({ key, logLevel: 0 }));
  }
  return clients.get(key);
}

// Lines end at a line feed alone: a name may hold what Node's readline takes for the end of one.
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const { number, key, ...params } = JSON.parse(line);
  let answer;
  try {
    const request = await client(key).auth.createTokenRequest(params);
    answer = { number, sent: JSON.stringify(request) };
  } catch (error) {
    answer = { number, error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
