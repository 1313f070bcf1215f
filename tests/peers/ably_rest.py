"""Runs ably-python against a server: reads a setup (JSON) from standard input, writes what came of each case, a JSON object a line.

What should have come of it is not known here.
"""

import asyncio
import json
import sys
import time

from ably import AblyRest
from ably.types.message import Message
from ably.util.exceptions import AblyException

from served import Served

setup = json.load(sys.stdin)
key, revocable = setup["key"], setup["revocable"]
clients = []


def client(**options):
    rest = AblyRest(
        endpoint=setup["host"], port=setup["port"], tls=False, use_binary_protocol=False, **options
    )
    clients.append(rest)
    return rest


def other_key(name=None, secret=None):
    own_name, own_secret = key.split(":")
    return f"{name or own_name}:{secret or own_secret}"


def shown(token):
    """What is known about a token, without what differs from run to run."""
    return {
        "app": token.token.split(".")[0],
        "lifetime": token.expires - token.issued,
        "capability": json.dumps(token.capability.to_dict(), separators=(",", ":"), ensure_ascii=False),
        "clientId": token.client_id,
    }


async def published(rest, channel="chat:lobby", client_id=None):
    await rest.channels.get(channel).publish(Message(name="greeting", data="hello", client_id=client_id))
    return "published"


owner = client(key=key, use_token_auth=True)
reissuer = client(key=revocable, use_token_auth=True)


async def the_time():
    return abs(await owner.time() - time.time() * 1000) < 60_000


async def exchange():
    capability = {"chat:lobby": ["publish", "presence"], "elsewhere": ["*"]}
    params = {"client_id": "alice", "ttl": 60_000, "capability": capability}
    return shown(await owner.auth.request_token(params))


async def exchange_of_nothing_in_particular():
    return shown(await owner.auth.request_token())


async def exchange_with_the_servers_time():
    return shown(await client(key=key, query_time=True).auth.request_token({"ttl": 5_000}))


async def exchange_of_odd_names():
    return shown(await owner.auth.request_token({"client_id": "zoë ☃", "capability": {"chat:é ☃": ["publish"]}}))


async def authorize():
    return shown(await client(key=key).auth.authorize({"client_id": "*"}))


async def basic_without_tls():
    return await published(client(key=key))


async def token_of_ones_own_key():
    return await published(client(key=key, use_token_auth=True))


async def token_publish():
    return await published(client(token_details=await owner.auth.request_token()))


async def token_history():
    rest = client(token_details=await owner.auth.request_token())
    return len((await rest.channels.get("chat:lobby").history()).items)


async def token_publish_without_capability():
    token = await owner.auth.request_token({"capability": {"chat:*": ["subscribe"]}})
    return await published(client(token_details=token))


async def token_publish_outside_the_keys_capability():
    return await published(client(token_details=await owner.auth.request_token()), "news")


async def jwt_publish():
    return await published(client(token=setup["jwt"]))


async def jwt_publish_without_capability():
    return await published(client(token=setup["narrowJwt"]))


async def jwt_message_of_its_client():
    return await published(client(token=setup["jwt"]), client_id="alice")


async def jwt_message_of_another_client():
    return await published(client(token=setup["jwt"]), client_id="bob")


async def jwt_by_callback():
    async def callback(_):
        return setup["jwt"]

    return await published(client(auth_callback=callback))


async def jwt_of_an_unknown_app():
    return await published(client(token=setup["foreignJwt"]))


async def junk_token():
    return await published(client(token="fake"))


async def request_by_callback():
    async def callback(params):
        return await owner.auth.create_token_request(params)

    return await published(client(auth_callback=callback))


async def details_by_callback():
    async def callback(params):
        return await owner.auth.request_token(params)

    return await published(client(auth_callback=callback))


async def request_by_url():
    request = await owner.auth.create_token_request({"client_id": "alice"})
    with Served("application/json", json.dumps(request.to_dict())) as url:
        return shown(await client(auth_url=url).auth.authorize())


async def jwt_by_url():
    with Served("application/jwt", setup["jwt"]) as url:
        return await published(client(auth_url=url))


async def expiry_told_by_the_server():
    asked = 0

    async def callback(_):
        nonlocal asked
        asked += 1
        return setup["expiredJwt"] if asked == 1 else setup["jwt"]

    return {"came": await published(client(auth_callback=callback)), "asked": asked}


async def expiry_before_the_next_request():
    asked = 0

    async def callback(_):
        nonlocal asked
        asked += 1
        return await owner.auth.request_token({"ttl": 1_000})

    rest = client(auth_callback=callback)
    await published(rest)
    await asyncio.sleep(1.2)
    return {"came": await published(rest), "asked": asked}


async def wrong_mac():
    return shown(await client(key=other_key(secret="wrong")).auth.request_token())


async def forged_mac():
    return shown(await owner.auth.request_token({"mac": "A" * 43 + "="}))


async def changed_after_signing():
    request = (await owner.auth.create_token_request({"client_id": "alice"})).to_dict()

    async def callback(_):
        return {**request, "clientId": "eve"}

    return shown(await client(auth_callback=callback).auth.request_token())


async def old_timestamp():
    return shown(await owner.auth.request_token({"timestamp": int(time.time() * 1000) - 600_000}))


async def replayed_nonce():
    request = await owner.auth.create_token_request()

    async def callback(_):
        return request

    rest = client(auth_callback=callback)
    await rest.auth.request_token()
    return shown(await rest.auth.request_token())


async def no_intersection():
    return shown(await owner.auth.request_token({"capability": {"news": ["publish"]}}))


async def unknown_operation():
    return shown(await owner.auth.request_token({"capability": {"chat:a": ["publish_"]}}))


async def no_operations():
    return shown(await owner.auth.request_token({"capability": {"chat:a": []}}))


async def wildcard_with_others():
    return shown(await owner.auth.request_token({"capability": {"chat:a": ["*", "publish"]}}))


async def ttl_negative():
    return shown(await owner.auth.request_token({"ttl": -1}))


async def ttl_too_long():
    return shown(await owner.auth.request_token({"ttl": 86_400_001}))


async def ttl_too_long_to_be_revoked():
    return shown(await reissuer.auth.request_token({"ttl": 3_600_001}))


async def unknown_key():
    return shown(await client(key=other_key(name="appid1.unknown")).auth.request_token())


async def unknown_app():
    return shown(await client(key=other_key(name="unknown.keyid1")).auth.request_token())


async def wildcard_token_as_a_client():
    token = await owner.auth.request_token({"client_id": "*"})
    return await published(client(token_details=token), client_id="bob")


async def anonymous_token_as_a_client():
    token = (await owner.auth.request_token()).token
    return await published(client(token=token), client_id="bob")


async def binary_protocol():
    rest = AblyRest(endpoint=setup["host"], port=setup["port"], tls=False, token=setup["jwt"])
    clients.append(rest)
    return await published(rest)


CASES = [
    the_time,
    exchange,
    exchange_of_nothing_in_particular,
    exchange_with_the_servers_time,
    exchange_of_odd_names,
    authorize,
    basic_without_tls,
    token_of_ones_own_key,
    token_publish,
    token_history,
    token_publish_without_capability,
    token_publish_outside_the_keys_capability,
    jwt_publish,
    jwt_publish_without_capability,
    jwt_message_of_its_client,
    jwt_message_of_another_client,
    jwt_by_callback,
    jwt_by_url,
    jwt_of_an_unknown_app,
    junk_token,
    request_by_callback,
    details_by_callback,
    request_by_url,
    expiry_told_by_the_server,
    expiry_before_the_next_request,
    wrong_mac,
    forged_mac,
    changed_after_signing,
    old_timestamp,
    replayed_nonce,
    no_intersection,
    unknown_operation,
    no_operations,
    wildcard_with_others,
    ttl_negative,
    ttl_too_long,
    ttl_too_long_to_be_revoked,
    unknown_key,
    unknown_app,
    wildcard_token_as_a_client,
    anonymous_token_as_a_client,
    binary_protocol,
]


async def main():
    for case in CASES:
        try:
            came = {"ok": await case()}
        except AblyException as error:
            came = {"code": error.code, "status": error.status_code, "text": error.message}
        except Exception as error:
            came = {"code": None, "status": None, "text": repr(error)}
        print(json.dumps({"case": case.__name__, "came": came}), flush=True)
    for rest in clients:
        await rest.close()


asyncio.run(asyncio.wait_for(main(), 120))
