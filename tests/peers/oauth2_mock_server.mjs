// Runs oauth2-mock-server on a free port of loopback, which answers as each request to its token endpoint asks it to.
// Usage: node oauth2_mock_server.mjs FOLDER-WITH-NODE_MODULES
// Prints a line with its address, and ends when its input does.
//
// The parameter `plan` of a request is a JSON list of answers, and `run` a name under which requests are counted: the first
// gets the first answer, and so on; the last one serves from then on. An answer is what the server would say anyway, with
// `status`, `headers`, members of `body` (`null` takes one out) and `text` in its place. `retry_in` is a Retry-After as a
// date, so many seconds from now. `client_secret` is what the query must have.

import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

process.stdin.on("end", () => process.exit(0)).resume();

const folder = join(resolve(process.argv[2]), "node_modules", "oauth2-mock-server", "dist", "index.mjs");
const { OAuth2Server } = await import(pathToFileURL(folder));

const server = new OAuth2Server();
await server.issuer.keys.generate("RS256");

const counts = new Map();
server.service.on("beforeResponse", (response, request) => {
  const { plan, run } = request.body;
  if (!plan) {
    return;
  }
  const answers = JSON.parse(plan);
  const count = counts.get(run) ?? 0;
  counts.set(run, count + 1);
  const answer = answers[Math.min(count, answers.length - 1)];
  if (answer.client_secret !== undefined && request.query.client_secret !== answer.client_secret) {
    response.statusCode = 401;
    response.body = { error: "invalid_client" };
    return;
  }
  response.statusCode = answer.status ?? 200;
  for (const [name, value] of Object.entries(answer.body ?? {})) {
    if (value === null) {
      delete response.body[name];
    } else {
      response.body[name] = value;
    }
  }
  request.res.set(answer.headers ?? {});
  if (answer.retry_in !== undefined) {
    request.res.set("Retry-After", new Date(Date.now() + 1000 * answer.retry_in).toUTCString());
  }
  if (answer.text !== undefined) {
    // The package would write it as JSON.
    request.res.json = () => request.res.type("html").send(answer.text);
  }
});

await server.start(0, "127.0.0.1");
server.issuer.url = `http://127.0.0.1:${server.address().port}`;
process.stdout.write(`${JSON.stringify({ issuer: server.issuer.url })}\n`);
