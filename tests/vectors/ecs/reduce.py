"""Reduces the field list of the Elastic Common Schema to what our checker reads.

    git -C ecs show v9.4.0:generated/ecs/ecs_flat.yml | python3 reduce.py > fields.json

From https://github.com/elastic/ecs, whose text is under the Apache License 2.0; descriptions and examples are left out.
"""

import json
import sys

import yaml

COMMIT = "354fd8d0ca99faa15405d1ea1d3bb396724d3e5a"


def main():
    flat = yaml.safe_load(sys.stdin)
    lines = []
    for name, field in sorted(flat.items()):
        short = {"type": field["type"]}
        if "array" in field.get("normalize", []):
            short["array"] = True
        if "ignore_above" in field:
            short["longest"] = field["ignore_above"]
        if field.get("required"):
            short["required"] = True
        allowed = field.get("allowed_values") or []
        if allowed:
            short["allowed"] = {value["name"]: value.get("expected_event_types") for value in allowed}
        lines.append(f"{json.dumps(name)}: {json.dumps(short, separators=(',', ':'))}")
    head = {
        "source": "https://github.com/elastic/ecs, generated/ecs/ecs_flat.yml, reduced by reduce.py",
        "version": "9.4.0",
        "commit": COMMIT,
        "licence": "Apache-2.0",
        "notice": "Elastic Common Schema. Copyright 2018-2021 Elasticsearch B.V.",
    }
    print("{")
    for name, value in head.items():
        print(f"{json.dumps(name)}: {json.dumps(value)},")
    print('"fields": {\n' + ",\n".join(lines) + "\n}\n}")


main()
