"""Signs token requests with ably-python: reads parameter sets as JSON lines, writes what the library would send."""

import asyncio
import json
import sys

from ably import AblyRest


async def main():
    clients = {}
    # Lines end at a line feed alone: a name may hold what else Python takes for the end of one.
    for line in sys.stdin.buffer.read().split(b"\n"):
        if not line:
            continue
        params = json.loads(line)
        number, key = params.pop("number"), params.pop("key")
        if "clientId" in params:
            params["client_id"] = params.pop("clientId")
        try:
            if key not in clients:
                clients[key] = AblyRest(key=key)
            request = await clients[key].auth.create_token_request(params)
            # As the library's own HTTP client writes a body.
            answer = {"number": number, "sent": json.dumps(request.to_dict(), separators=(",", ":"))}
        except Exception as error:
            answer = {"number": number, "error": repr(error)}
        print(json.dumps(answer))
    for client in clients.values():
        await client.close()


asyncio.run(main())
