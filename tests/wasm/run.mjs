// Runs the module of this folder with nothing to import, and compares what it signs with what ably-js signs.
// Usage: node run.mjs MODULE.wasm

import { readFileSync } from "node:fs";

const key = "appid1.keyid1:SecretSecretSecret";
const timestamp = "1700000000000";
const nonce = "0123456789abcdef";

// Made by ably-js 2.28.0, and computed again by a script of our own: ttl, capability, clientId, MAC.
const vectors = [
  ["", "", "", "w1Pdm0EnbxxZVp3a0dpHrAzsquMfrSAYVHDznXtCZB0="],
  ["0", "", "", "w1Pdm0EnbxxZVp3a0dpHrAzsquMfrSAYVHDznXtCZB0="],
  ["3600000", '{"b:*":["subscribe","publish"],"a":["*"]}', "alice", "+Nju41oO7ZRqfxKoHII6bYiHgmURODiM+fJEmU8aliE="],
  ["", ' { "chat" : [ "subscribe", "publish", "history" ] }', "zoë ☃", "NpXdfiXPcr4dWpR5q1p1GPGId8XjR9Jwyg8EWVaJT/s="],
  ["", "", "*", "rAwTpE6Wvco4fBrOhxFNTDPsRp4d4kzsOWBW6eoCl0E="],
  [
    "",
    '{"é":["publish"],"a":["publish"],"Z":["publish"],"*":["subscribe"],"[meta]x":["subscribe"]}',
    "",
    "zDMltOR8SfzxgCwfKq8okOi/zY9UvYl1s8JC1fk911A=",
  ],
];

// (module (type (func)) (import "env" "now" (func (type 0)))): the control, which does import something.
const importing = Uint8Array.from([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, 11, 1, 3, 0x65, 0x6e, 0x76, 3, 0x6e, 0x6f, 0x77, 0, 0,
]);

let cases = 0;
let passed = 0;
function check(what, holds) {
  cases += 1;
  passed += holds ? 1 : 0;
  if (!holds) {
    console.error(`wasm: it does not hold that ${what}`);
  }
}

function instantiates(module) {
  try {
    return new WebAssembly.Instance(module, {});
  } catch {
    return undefined;
  }
}

const bytes = readFileSync(process.argv[2]);
const module = new WebAssembly.Module(bytes);
const imports = WebAssembly.Module.imports(module);
check(`the module imports nothing (${JSON.stringify(imports)})`, imports.length === 0);

const control = new WebAssembly.Module(importing);
check("the import of the control is seen", WebAssembly.Module.imports(control).length === 1);
check("the control needs what it imports", instantiates(control) === undefined);

const guest = instantiates(module)?.exports;
function sign(...lines) {
  guest.clear();
  for (const byte of new TextEncoder().encode(lines.join("\n"))) {
    guest.push(byte);
  }
  const length = guest.sign();
  return new TextDecoder().decode(Uint8Array.from({ length }, (_, index) => guest.at(index)));
}

check("the module runs without imports", guest !== undefined);
if (guest !== undefined) {
  for (const [ttl, capability, clientId, mac] of vectors) {
    const signed = sign(key, ttl, capability, clientId, timestamp, nonce);
    check(`${signed} has the MAC ${mac}`, signed !== "" && JSON.parse(signed).mac === mac);
  }
  const other = sign(key, "", "", "", timestamp, "0123456789abcdeg");
  check("another nonce has another MAC", other !== "" && JSON.parse(other).mac !== vectors[0][3]);
  check("what is no key signs nothing", sign("appid1.keyid1", "", "", "", timestamp, nonce) === "");
}
console.log(JSON.stringify({ cases, passed, imports: imports.length, bytes: bytes.length }));
