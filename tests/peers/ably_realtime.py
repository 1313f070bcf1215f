"""Runs ably-python's realtime client against a server: reads a setup (JSON) from standard input, writes what came of each case, a JSON
object a line.

What should have come of it is not known here.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import sys
import time
import urllib.request

from ably import AblyRealtime, AblyRest
from ably.util.exceptions import AblyException

from served import Served

setup = json.load(sys.stdin)
key = setup["key"]
key_name, key_secret = key.split(":")
common = {"tls": False, "use_binary_protocol": False}
owner = AblyRest(key=key, use_token_auth=True, endpoint=setup["host"], port=setup["port"], **common)
# The realtime client has no use for the option `port`.
address = f"{setup['host']}:{setup['port']}"
clients = []
logging.disable(logging.CRITICAL)

# How long anything may take, in seconds.
PATIENCE = 20
EVERYTHING = {"chat:*": ["*"]}


def client(**options):
    realtime = AblyRealtime(auto_connect=False, endpoint=address, **common, **options)
    clients.append(realtime)
    return realtime


def numbers(error):
    return [error.code, error.status_code] if isinstance(error, AblyException) else repr(error)


def changes(realtime):
    """All that happens to a connection from now on."""
    queue = asyncio.Queue()
    realtime.connection.on(queue.put_nowait)
    return queue


async def when(queue, event, refused=()):
    """The next change to this, or an error if one of those others comes before it."""
    while True:
        change = await asyncio.wait_for(queue.get(), PATIENCE)
        if change.event.value == event:
            return change
        if change.event.value in refused:
            raise change.reason or RuntimeError(change.event.value)


async def connected(**options):
    """Connects; whatever else happens first is an error."""
    realtime = client(**options)
    queue = changes(realtime)
    realtime.connect()
    await when(queue, "connected", ("disconnected", "suspended", "failed"))
    return realtime


async def failure(**options):
    """Why a connection fails."""
    realtime = client(**options)
    queue = changes(realtime)
    realtime.connect()
    return numbers((await when(queue, "failed", ("connected", "suspended"))).reason)


def who(realtime):
    return realtime.auth.client_id or [realtime.connection.state.value, None]


async def token(**params):
    return (await owner.auth.request_token(params)).token


class Tokens:
    """Tokens with these parameters, or these tokens, one after the other, and how many were asked for."""

    def __init__(self, *parameters):
        self.parameters, self.count = parameters, 0

    async def __call__(self, _):
        these = self.parameters[min(self.count, len(self.parameters) - 1)]
        self.count += 1
        return these if isinstance(these, str) else await owner.auth.request_token(these)


def jwt(**claims):
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    now = int(time.time())
    header = {"typ": "JWT", "alg": "HS256", "kid": key_name}
    claims = {"iat": now - 1, "exp": now + 600, **claims}
    signed = b".".join(part(json.dumps(value).encode()) for value in (header, claims))
    mac = hmac.new(key_secret.encode(), signed, hashlib.sha256).digest()
    return b".".join((signed, part(mac))).decode()


async def revoke(client_id, margin=False):
    """By hand: ably-python can't."""
    body = {"targets": [f"clientId:{client_id}"], "allowReauthMargin": margin}
    url = f"http://{address}/keys/{key_name}/revokeTokens"
    headers = {
        "authorization": "Basic " + base64.b64encode(key.encode()).decode(),
        "content-type": "application/json",
        "x-ably-version": "5",
    }
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    await asyncio.to_thread(lambda: opener.open(request, timeout=PATIENCE).read())


async def refusal(promise):
    """What an operation is refused with."""
    try:
        await promise
    except AblyException as error:
        return numbers(error)
    return "not refused"


async def attach(realtime, name):
    channel = realtime.channels.get(name)
    await channel.attach()
    return channel


async def next_message(channel):
    """Subscribes; what is returned waits for the first message."""
    queue = asyncio.Queue()
    await channel.subscribe(queue.put_nowait)
    return asyncio.wait_for(queue.get(), PATIENCE)


async def by_key():
    return who(await connected(key=key))


async def by_key_as_a_client():
    return who(await connected(key=key, client_id="zoë ☃"))


async def by_token():
    return who(await connected(token=await token(client_id="alice")))


async def by_anonymous_token():
    return who(await connected(token=await token()))


async def by_jwt():
    return who(await connected(token=jwt(**{"x-ably-clientId": "alice"})))


async def by_callback():
    return who(await connected(auth_callback=Tokens({"client_id": "alice"})))


async def jwt_by_url():
    with Served("application/jwt", jwt(**{"x-ably-clientId": "alice"})) as url:
        return who(await connected(auth_url=url))


async def wrong_key():
    return [
        (await connected(key=key)).connection.state.value,
        await failure(key=f"{key_name}:wrong"),
        await failure(key="appid1.unknown:wrong"),
    ]


async def wrong_token():
    good = await token()
    state = (await connected(token=good)).connection.state.value
    return [state, await failure(token="fake"), await failure(token=good + "x")]


async def client_ids_that_differ():
    return await failure(token=await token(client_id="alice"), client_id="bob")


async def anonymous_token_as_a_client():
    return await failure(token=await token(), client_id="bob")


async def wildcard_token_as_a_client():
    return who(await connected(token=await token(client_id="*"), client_id="bob"))


async def expired_token_at_first():
    expired = await token(ttl=1)
    await asyncio.sleep(0.005)
    tokens = Tokens(expired, {})
    # It waits before it tries the other token.
    realtime = client(auth_callback=tokens, disconnected_retry_timeout=500)
    queue = changes(realtime)
    realtime.connect()
    await when(queue, "connected", ("failed",))
    return tokens.count


async def expired_token_without_another():
    expired = await token(ttl=1)
    await asyncio.sleep(0.005)
    return await failure(token=expired)


async def upgrade_in_place():
    tokens = Tokens({"capability": {"chat:a": ["*"]}}, {"capability": EVERYTHING})
    realtime = await connected(auth_callback=tokens)
    manager = realtime.connection.connection_manager
    before_id = manager.connection_id
    before = await refusal(attach(realtime, "chat:b"))
    queue = changes(realtime)
    await realtime.auth.authorize()
    seen = (await asyncio.wait_for(queue.get(), PATIENCE)).event.value
    channel = await attach(realtime, "chat:b")
    await channel.publish("x", "y")
    return [before, seen, before_id == manager.connection_id, channel.state.value, tokens.count]


async def downgrade_in_place():
    tokens = Tokens({"capability": EVERYTHING}, {"capability": {"chat:b": ["subscribe"]}})
    realtime = await connected(auth_callback=tokens)
    lost, kept = await attach(realtime, "chat:a"), await attach(realtime, "chat:b")
    queue = asyncio.Queue()
    lost.on("failed", queue.put_nowait)
    await realtime.auth.authorize()
    failed = await asyncio.wait_for(queue.get(), PATIENCE)
    return [
        numbers(failed.reason),
        kept.state.value,
        await refusal(kept.publish("x", "y")),
        realtime.connection.state.value,
    ]


async def authorize_as_another():
    # Texts, and anonymous at first: otherwise the library refuses by itself, any text included.
    tokens = Tokens(await token(), await token(client_id="bob"))
    realtime = await connected(auth_callback=tokens)
    queue = changes(realtime)
    refused = await refusal(realtime.auth.authorize())
    return [refused, numbers((await when(queue, "failed")).reason)]


async def expiry_renews():
    tokens = Tokens({"ttl": 3_000}, {"ttl": 600_000})
    realtime = await connected(auth_callback=tokens)
    manager = realtime.connection.connection_manager
    first, queue = manager.connection_id, changes(realtime)
    channel = await attach(realtime, "chat:expiry.py")
    expired = await when(queue, "disconnected", ("failed",))
    back = await when(queue, "connected", ("failed",))
    message = await next_message(channel)
    await channel.publish("after", "all")
    return [
        numbers(expired.reason),
        numbers(back.reason),
        first != manager.connection_id,
        tokens.count,
        (await message).name,
    ]


async def expiry_without_another():
    realtime = client(token=await token(ttl=1_500))
    queue = changes(realtime)
    realtime.connect()
    await when(queue, "connected", ("failed",))
    return numbers((await when(queue, "failed")).reason)


async def asked_by_the_server():
    tokens = Tokens({"ttl": 8_000}, {"ttl": 600_000})
    realtime = await connected(auth_callback=tokens)
    manager = realtime.connection.connection_manager
    first, queue = manager.connection_id, changes(realtime)
    await when(queue, "update", ("disconnected", "failed"))
    await asyncio.sleep(4.5)  # The first token is expired then.
    return [first == manager.connection_id, tokens.count, queue.qsize(), realtime.connection.state.value]


async def revocation():
    tokens = Tokens({"client_id": "ivy.py"})
    realtime = await connected(auth_callback=tokens)
    stuck = await connected(token=await token(client_id="ivy.py"))
    bystander = await connected(token=await token(client_id="eve.py"))
    queues = [changes(each) for each in (realtime, stuck, bystander)]
    await asyncio.sleep(0.005)
    await revoke("ivy.py")
    reason = (await when(queues[0], "disconnected", ("failed",))).reason
    await when(queues[0], "connected", ("failed",))
    failed = (await when(queues[1], "failed")).reason
    return [numbers(reason), tokens.count, numbers(failed), queues[2].qsize()]


async def revocation_with_margin():
    tokens = Tokens({"client_id": "mel.py"})
    realtime = await connected(auth_callback=tokens)
    queue = changes(realtime)
    await asyncio.sleep(0.005)
    await revoke("mel.py", margin=True)
    await when(queue, "update", ("disconnected", "failed"))
    return [tokens.count, realtime.connection.state.value]


async def round_trip():
    publisher = await connected(token=await token(client_id="alice"))
    capability = {"chat:trip.py": ["subscribe"]}
    subscriber = await connected(token=await token(client_id="bob", capability=capability))
    message = await next_message(subscriber.channels.get("chat:trip.py"))
    await publisher.channels.get("chat:trip.py").publish("greet", {"hello": "wörld"})
    message = await message
    own = message.connection_id == publisher.connection.connection_manager.connection_id
    return [message.data, message.client_id, own]


async def refused_on_channels():
    realtime = await connected(key=key)
    news = await attach(realtime, "news")
    return [
        await refusal(attach(realtime, "secret")),
        realtime.channels.get("secret").state.value,
        await refusal(news.publish("x", "y")),
        await refusal(attach(realtime, ":bad")),
        realtime.connection.state.value,
    ]


async def detach():
    realtime = await connected(key=key)
    channel = await attach(realtime, "chat:detach")
    await channel.detach()
    return channel.state.value


async def presence():
    realtime = await connected(token=await token(client_id="alice"))
    await (await attach(realtime, "chat:presence.py")).presence.enter()
    return await refusal((await attach(realtime, "news")).presence.enter())


async def ping():
    return await (await connected(key=key)).connection.ping() < PATIENCE * 1_000


async def close():
    realtime = await connected(key=key)
    await realtime.close()
    return realtime.connection.state.value


CASES = [
    by_key,
    by_key_as_a_client,
    by_token,
    by_anonymous_token,
    by_jwt,
    by_callback,
    jwt_by_url,
    wrong_key,
    wrong_token,
    client_ids_that_differ,
    anonymous_token_as_a_client,
    wildcard_token_as_a_client,
    expired_token_at_first,
    expired_token_without_another,
    upgrade_in_place,
    downgrade_in_place,
    authorize_as_another,
    expiry_renews,
    expiry_without_another,
    asked_by_the_server,
    revocation,
    revocation_with_margin,
    round_trip,
    refused_on_channels,
    detach,
    presence,
    ping,
    close,
]


async def run(case):
    try:
        came = {"ok": await asyncio.wait_for(case(), PATIENCE + 5)}
    except AblyException as error:
        came = {"code": error.code, "status": error.status_code, "text": error.message}
    except Exception as error:
        came = {"code": None, "status": None, "text": repr(error)}
    print(json.dumps({"case": case.__name__, "came": came}), flush=True)


async def main():
    # All at once: most of the time of a case goes by waiting.
    await asyncio.gather(*map(run, CASES))
    for realtime in clients:
        if realtime.connection.state.value in ("connected", "connecting", "disconnected"):
            await realtime.close()
    await owner.close()


asyncio.run(asyncio.wait_for(main(), 60))
