"""Reduces the Open Cybersecurity Schema Framework to the classes that we use, and the objects that these reach.

    python3 reduce.py OCSF_SCHEMA_CHECKOUT > schema.json      (a working tree of the commit below)

From https://github.com/ocsf/ocsf-schema, which is under the Apache License 2.0; descriptions are left out. Profiles are left out too,
since our events name none: an attribute that only a profile adds is unknown then.
"""

import json
import pathlib
import sys

COMMIT = "3dcb905d26523ce4d5d0ba3c28c8507e2c859407"
CLASSES = {
    "base_event": "events/base_event.json",
    "event_log_activity": "events/system/event_log_activity.json",
    "authentication": "events/iam/authentication.json",
    "authorize_session": "events/iam/authorize_session.json",
    "network_activity": "events/network/network_activity.json",
    "application_lifecycle": "events/application/application_lifecycle.json",
}
# Objects that our events hold; of others that an attribute may hold only the name is kept.
OBJECTS = ["metadata", "network_endpoint", "product", "reporter", "service", "session", "user"]

root = pathlib.Path(sys.argv[1])


def read(path):
    return json.loads((root / path).read_text())


def by_name(folder):
    found = {}
    for path in sorted((root / folder).rglob("*.json")):
        item = json.loads(path.read_text())
        found[item["name"]] = item
    return found


dictionary = read("dictionary.json")
events, objects = by_name("events"), by_name("objects")
categories = read("categories.json")["attributes"]


def merged(items, name, kind):
    """The attributes of an item with those of its parents, and its constraints: a child's replace its parent's."""
    item = items[name]
    attributes, constraints = {}, {}
    if "extends" in item:
        attributes, constraints = merged(items, item["extends"], kind)
    for attribute, own in item["attributes"].items():
        if attribute == "$include":
            continue
        before = attributes.get(attribute, {})
        after = {**before, **own}
        after["enum"] = {**before.get("enum", {}), **own.get("enum", {})}
        attributes[attribute] = after
    return attributes, item.get("constraints", constraints)


def short(name, own):
    known = dictionary["attributes"][name]
    out = {"type": own.get("type", known["type"])}
    if known.get("is_array"):
        out["array"] = True
    if own.get("requirement") == "required":
        out["required"] = True
    enum = {**known.get("enum", {}), **own.get("enum", {})}
    if enum and name not in ("category_uid", "class_uid", "type_uid"):
        out["enum"] = {value: meaning["caption"] for value, meaning in enum.items()}
    if "sibling" in known:
        out["sibling"] = known["sibling"]
    return out


def reduced(items, name, kind):
    attributes, constraints = merged(items, name, kind)
    own = {attribute: short(attribute, value) for attribute, value in sorted(attributes.items()) if not value.get("profile")}
    return {"attributes": own, "constraints": constraints}


def category(name):
    item = events[name]
    return item["category"] if "category" in item else category(item["extends"])


def class_of(name, path):
    item = read(path)
    out = reduced(events, item["name"], "event")
    key = category(item["name"])
    where = categories.get(key, {"uid": 0, "caption": "Uncategorized"})
    uid = where["uid"] * 1000 + item.get("uid", 0)
    return {"uid": uid, "caption": item["caption"], "category_uid": where["uid"], "category": where["caption"], **out}


def types():
    out = {}
    for name, item in dictionary["types"]["attributes"].items():
        kept = {key: item[key] for key in ("type", "max_len", "range") if key in item}
        out[name] = kept
    return out


def block(items):
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {lines(item)}" for name, item in items.items()) + "\n}"


def lines(item):
    parts = []
    for name, value in item.items():
        if name == "attributes":
            inner = ",\n".join(f"  {json.dumps(key)}: {json.dumps(own, separators=(',', ':'))}" for key, own in value.items())
            parts.append(f'"attributes": {{\n{inner}\n }}')
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}")
    return "{" + ", ".join(parts) + "}"


head = {
    "source": "https://github.com/ocsf/ocsf-schema, reduced by reduce.py",
    "version": read("version.json")["version"],
    "commit": COMMIT,
    "licence": "Apache-2.0",
    "notice": "Open Cybersecurity Schema Framework. Copyright (c) OCSF a Series of LF Projects, LLC. This project includes the ICD "
    "Schema developed by Symantec, a division of Broadcom. Licensed under the Apache 2 license.",
}
print("{")
for name, value in head.items():
    print(f"{json.dumps(name)}: {json.dumps(value)},")
print(f'"types": {json.dumps(types(), separators=(",", ":"))},')
print(f'"classes": {block({name: class_of(name, path) for name, path in CLASSES.items()})},')
print(f'"objects": {block({name: reduced(objects, name, "object") for name in OBJECTS})}')
print("}")
