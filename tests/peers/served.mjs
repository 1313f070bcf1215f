// Serves the token of an auth URL to ably-js, for as long as a case takes.

import { createServer } from "node:http";

/** Serves one answer, counts how often it is asked for, and is closed whatever happens. */
export async function served(contentType, body, use) {
  let asked = 0;
  const server = createServer(async (request, response) => {
    asked += 1;
    try {
      const text = await body(new URL(request.url, "http://localhost").searchParams);
      response.writeHead(200, { "content-type": contentType }).end(text);
    } catch {
      response.writeHead(500).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  try {
    return await use(`http://127.0.0.1:${server.address().port}/auth?who=alice`, () => asked);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
