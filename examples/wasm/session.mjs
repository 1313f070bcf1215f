// A session over a JavaScript WebSocket: in a browser, or in Node with its own WebSocket or that of the package `ws`.
//
// The machine in the module decides; this file only acts. It brings the clocks, the timer, the tokens and the sockets, and
// has no rule of its own about when to connect, log in, renew, wait or give up.
//
//     const module = await WebAssembly.compileStreaming(fetch("session_guest.wasm"));
//     const session = new Session(module, {
//       url: "wss://api.example.com/ws",
//       dialect: "genesys",
//       token: async (fresh) => ({ token: "…", expiresIn: 3_600_000 }),
//       onmessage: (data) => console.log(data),
//     });
//     session.send("hello");

// A longer one is over at once (HTML, "timer initialization steps").
const LONGEST_TIMER = 2 ** 31 - 1;

// Timers stand still while the computer sleeps: looked at this often, a wall clock that went on is noticed.
const LONGEST_SLEEP = Math.min(30_000, LONGEST_TIMER);

export class Session {
  #module;
  #options;
  #sockets = new Map();
  #waiting = []; // messages for a connection that is not there yet
  #inputs = [];
  #busy = false;
  #timer;
  #answer = { state: "initialized", live: null, error: null };

  // `token(fresh)` hands out a token, or throws: an error with `final` ends the session. `fresh` asks for another than
  // the last. Times are in milliseconds. `onevent` is told of every transition, and never of a secret.
  constructor(module, { url, dialect, token, onmessage, onevent, settings = {}, WebSocket = globalThis.WebSocket }) {
    this.#module = new WebAssembly.Instance(module, {}).exports;
    this.#options = { token, onmessage, onevent, WebSocket };
    const [seed] = crypto.getRandomValues(new Uint32Array(1));
    this.#take({ kind: "new", url, dialect, seed, settings });
    this.#take({ kind: "start" });
  }

  // initialized, connecting, connected, disconnected, suspended, closing, closed, failed
  get state() {
    return this.#answer.state;
  }

  // Why it failed.
  get error() {
    return this.#answer.error;
  }

  // Sends a text once the session is authenticated, in order. What a socket was given when its connection broke may or may not
  // have arrived: JavaScript can't know. Once the session closes, was closed or has failed, it takes no more: `false`.
  send(text) {
    if (["closing", "closed", "failed"].includes(this.state)) {
      return false;
    }
    this.#waiting.push(text);
    this.#flush();
    return true;
  }

  // Gives back the messages that no socket was given, and forgets them: for whoever opens another session after the end of this one.
  takeWaiting() {
    return this.#waiting.splice(0);
  }

  // Messages that wait for a connection.
  get waiting() {
    return this.#waiting.length;
  }

  close() {
    this.#take({ kind: "close" });
  }

  renew() {
    this.#take({ kind: "renew" });
  }

  // For the `online` event of a browser.
  networkChanged() {
    this.#take({ kind: "network_changed" });
  }

  #take(input) {
    this.#inputs.push(input);
    // What is called from here may call back: one input after the other.
    if (this.#busy) {
      return;
    }
    this.#busy = true;
    try {
      while (this.#inputs.length > 0) {
        this.#act(this.#inputs.shift());
      }
    } finally {
      this.#busy = false;
    }
  }

  #act(input) {
    this.#answer = this.#step(input);
    for (const output of this.#answer.outputs) {
      this.#do(output);
    }
    this.#flush();
    clearTimeout(this.#timer);
    if (this.#answer.wait_ms !== null) {
      const wait = Math.min(this.#answer.wait_ms, LONGEST_SLEEP);
      this.#timer = setTimeout(() => this.#take({ kind: "tick" }), wait);
    }
    if (this.#answer.deliver) {
      this.#options.onmessage?.(input.kind === "text" ? input.text : Uint8Array.from(input.bytes));
    }
  }

  #do(output) {
    switch (output.kind) {
      case "fetch_token":
        void this.#fetch(output);
        break;
      case "open":
        this.#open(output);
        break;
      case "send":
        this.#sockets.get(output.epoch)?.send(output.binary ? new TextEncoder().encode(output.text) : output.text);
        break;
      case "close":
        this.#sockets.get(output.epoch)?.close(1000);
        break;
      case "abort":
        this.#drop(output.epoch);
        break;
      case "event":
        this.#options.onevent?.(output.event);
        break;
    }
  }

  async #fetch({ ticket, fresh }) {
    let input;
    try {
      const { token, expiresIn = null, renewIn = null } = await this.#options.token(fresh);
      input = { kind: "token", ticket, token, expires_in_ms: expiresIn, renew_in_ms: renewIn };
    } catch (error) {
      input = { kind: "no_token", ticket, final: error?.final === true };
    }
    this.#take(input);
  }

  #open({ epoch, url, subprotocols }) {
    let socket;
    try {
      socket = new this.#options.WebSocket(url, subprotocols);
    } catch {
      // A URL or a subprotocol that can't be.
      this.#take({ kind: "ended", epoch, code: 1006, reason: "" });
      return;
    }
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#take({ kind: "opened", epoch, protocol: socket.protocol });
    socket.onmessage = ({ data }) =>
      this.#take(
        typeof data === "string"
          ? { kind: "text", epoch, text: data }
          : { kind: "binary", epoch, bytes: Array.from(new Uint8Array(data)) },
      );
    // A close event follows it, and says no less.
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }) => {
      this.#sockets.delete(epoch);
      this.#take({ kind: "ended", epoch, code, reason });
    };
    this.#sockets.set(epoch, socket);
  }

  #drop(epoch) {
    const socket = this.#sockets.get(epoch);
    this.#sockets.delete(epoch);
    if (socket !== undefined) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  #flush() {
    const socket = this.#sockets.get(this.#answer.live);
    while (socket !== undefined && this.#waiting.length > 0) {
      socket.send(this.#waiting.shift());
    }
  }

  #step(input) {
    const { clear, push, step, at } = this.#module;
    const request = {
      wall_ms: Date.now(),
      mono_ms: Math.floor(performance.now()),
      random: Array.from(crypto.getRandomValues(new Uint8Array(16))),
      input,
    };
    clear();
    for (const byte of new TextEncoder().encode(JSON.stringify(request))) {
      push(byte);
    }
    const length = step();
    const answer = new TextDecoder().decode(Uint8Array.from({ length }, (_, index) => at(index)));
    clear();
    if (answer === "") {
      throw new TypeError("the module knows no such dialect or input");
    }
    return JSON.parse(answer);
  }
}
