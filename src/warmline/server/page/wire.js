// @ts-check
/** The WebSocket to the server: events out, events in. Knows nothing of their meaning. */

/** @typedef {{type: string, [field: string]: any}} WireEvent */
/** @typedef {{code: number, opened: boolean}} Closing `opened`: whether the server had accepted the session */

export class Wire {
  #socket;
  #opened = false;
  /** @type {{resolve: (value?: any) => void, reject: (reason: Error) => void}} */
  #waiting;

  /** Settles when the server accepts the session (`session.created`) or the connection closes first. */
  opened;

  /**
   * @param {string} token what this page was served with
   * @param {(event: WireEvent) => void} onEvent
   * @param {(closing: Closing) => void} onClosed called once, unless `close` was called before
   */
  constructor(token, onEvent, onClosed) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const address = `${scheme}//${location.host}/v1/realtime?model=warmline`;
    this.#waiting = { resolve() {}, reject() {} };
    this.opened = new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.opened.catch(() => {}); // Nobody need wait for it: onClosed tells as well.
    this.#socket = new WebSocket(address, ["realtime", `warmline-token.${token}`]);
    this.#socket.onmessage = ({ data }) => {
      const event = parsed(data);
      if (!event) return;
      if (event.type === "session.created") {
        this.#opened = true;
        this.#waiting.resolve();
      }
      onEvent(event);
    };
    this.#socket.onclose = ({ code }) => {
      this.#waiting.reject(new Error(`closed with ${code}`));
      onClosed({ code, opened: this.#opened });
    };
  }

  get isOpen() {
    return this.#opened && this.#socket.readyState === WebSocket.OPEN;
  }

  /** Bytes given to `send` that have not left this machine. */
  get bufferedBytes() {
    return this.#socket.bufferedAmount;
  }

  /** @param {WireEvent} event dropped if the connection is not open */
  send(event) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(event));
  }

  close() {
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#waiting.reject(new Error("closed here"));
    this.#socket.close(1000);
  }
}

/**
 * @param {unknown} data
 * @returns {WireEvent | null} null for what is not an event
 */
function parsed(data) {
  try {
    const event = JSON.parse(String(data));
    return event && typeof event.type === "string" ? event : null;
  } catch {
    return null;
  }
}

/**
 * Tell a server that refuses from one that is not there. A browser hides the status of a refused
 * upgrade, so the page itself is asked for.
 */
export async function isServerThere() {
  try {
    return (await fetch("/", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
