// @ts-check
/**
 * What the server is told of each reply's sound: started, so far, finished, or stopped here.
 *
 * A reply that was stopped may be resumed: what comes then is another part of it, played under a name of its own.
 */

import { decodeSamples } from "./base64.js";

/** @typedef {import("./player.js").Player} Player */
/**
 * @typedef {object} Reply
 * @property {string} itemId
 * @property {boolean} stopped nothing of it is played or reported, whatever is still on the wire
 * @property {boolean} complete all of its sound has come
 * @property {number} part how often it was resumed
 * @property {number} fromMs where in the reply's sound this part begins
 * @property {number | null} untilMs where it ends, if that was known when it was resumed
 * @property {number} samples rendered of this part, as far as is known
 * @property {number} received samples of this part that came
 */

export class Playout {
  #player;
  #send;
  #stats;
  /** @type {Map<string, Reply>} */
  #replies = new Map();

  /**
   * @param {Player} player
   * @param {(event: import("./wire.js").WireEvent) => void} send
   * @param {import("./hooks.js").Stats} stats
   */
  constructor(player, send, stats) {
    this.#player = player;
    this.#send = send;
    this.#stats = stats;
  }

  /** @param {string} id @param {string} [itemId] @returns {Reply} */
  #reply(id, itemId = "") {
    let reply = this.#replies.get(id);
    if (!reply) {
      reply = { itemId, stopped: false, complete: false, part: 0, fromMs: 0, untilMs: null, samples: 0, received: 0 };
      this.#replies.set(id, reply);
    }
    if (itemId) reply.itemId = itemId;
    return reply;
  }

  /** Queue a piece of a reply's sound. @param {string} id @param {string} itemId @param {string} audio base64 */
  receive(id, itemId, audio) {
    const reply = this.#reply(id, itemId);
    if (reply.stopped) return;
    const samples = decodeSamples(audio);
    reply.received += samples.length;
    this.#player.enqueue(this.#name(id), samples);
    // A rounded millisecond may be missing.
    if (reply.untilMs !== null && this.#place(reply, reply.received) >= reply.untilMs - 1) this.#end(id, reply);
  }

  /** A reply that was stopped goes on. @param {string} id @param {string} itemId @param {number} fromMs @param {number | null} untilMs */
  resume(id, itemId, fromMs, untilMs) {
    const reply = this.#reply(id, itemId);
    this.#stats.resumes.push({ responseId: id, fromMs, untilMs, receivedAtMs: performance.now() });
    Object.assign(reply, { stopped: false, complete: false, part: reply.part + 1, fromMs, untilMs, samples: 0, received: 0 });
    if (untilMs !== null && fromMs >= untilMs) this.#end(id, reply);
  }

  /** All of a reply's sound has come. @param {string} id @param {string} itemId */
  receivedAll(id, itemId) {
    const reply = this.#reply(id, itemId);
    if (reply.stopped) return;
    this.#end(id, reply);
  }

  /** @param {string} id @param {Reply} reply */
  #end(id, reply) {
    reply.complete = true;
    this.#player.end(this.#name(id));
  }

  /** The reply is over on the wire: one that failed half-way is played as far as it came. @param {string} id */
  replyOver(id) {
    const reply = this.#replies.get(id);
    if (reply && !reply.stopped && !reply.complete) this.#player.end(this.#name(id));
  }

  /**
   * Silence a reply now, and tell the server what was played of it. Stopping it again does nothing.
   *
   * All that was rendered counts as played: what the device holds already is heard.
   *
   * @param {string} id
   * @param {string} itemId "" if it is not known
   */
  async stop(id, itemId) {
    const receivedAtMs = performance.now();
    const receivedAtContextS = this.#player.contextTimeS;
    const reply = this.#reply(id, itemId);
    if (reply.stopped) return;
    reply.stopped = true;
    this.#stats.stoppedAt = receivedAtMs;
    const { part } = reply;
    const { samples, silentAtContextS } = await this.#player.stop(this.#name(id));
    if (reply.part !== part) return;
    if (samples !== null) reply.samples = samples;
    const played_ms = this.#place(reply, Math.min(reply.samples, reply.received));
    if (reply.itemId) {
      this.#send({ type: "conversation.item.truncate", item_id: reply.itemId, content_index: 0, audio_end_ms: played_ms });
    }
    this.#stats.stops.push({
      responseId: id,
      playedMs: played_ms,
      receivedAtMs,
      receivedAtContextS,
      silentAtContextS,
      confirmedAtMs: performance.now(),
    });
  }

  /** Silence everything without a word to the server. */
  silence() {
    for (const [id, reply] of this.#replies) {
      if (!reply.stopped) void this.#player.stop(this.#name(id));
      reply.stopped = true;
    }
  }

  /** @param {string} name @param {number} heardAtMs */
  started(name, heardAtMs) {
    this.#when(heardAtMs, name, (id) => {
      this.#stats.lastPlayoutStartedAt = performance.now();
      this.#send({ type: "warmline.playout.started", response_id: id });
    });
  }

  /** @param {string} name @param {number} samples rendered so far; the last of them are not heard yet */
  progressed(name, samples) {
    const [id, reply] = this.#named(name);
    if (!reply) return;
    reply.samples = samples;
    if (reply.stopped) return;
    const played_ms = this.#place(reply, Math.max(0, samples - this.#player.latencyS * this.#player.rateHz));
    this.#send({ type: "warmline.playout.progress", response_id: id, played_ms });
  }

  /** @param {string} name @param {number} samples @param {number} heardAtMs */
  drained(name, samples, heardAtMs) {
    const [, reply] = this.#named(name);
    if (!reply) return;
    reply.samples = samples;
    if (!reply.complete) return;
    this.#when(heardAtMs, name, (id) => {
      this.#send({ type: "warmline.playout.finished", response_id: id, played_ms: this.#place(reply, samples) });
    });
  }

  /** Do something when a sample is heard, unless its reply is stopped before. @param {number} atMs @param {string} name @param {(id: string) => void} act */
  #when(atMs, name, act) {
    setTimeout(() => {
      const [id, reply] = this.#named(name);
      if (reply && !reply.stopped) act(id);
    }, atMs - performance.now());
  }

  /** What the player knows a reply's present part by. @param {string} id */
  #name(id) {
    return `${id}/${this.#reply(id).part}`;
  }

  /** The reply of a name, if that is its present part. @param {string} name @returns {[string, Reply | null]} */
  #named(name) {
    const [id, part] = name.split("/");
    const reply = this.#replies.get(id);
    return [id, reply && reply.part === Number(part) ? reply : null];
  }

  /** Where in the reply's sound a sample of its present part is, in ms. @param {Reply} reply @param {number} samples */
  #place(reply, samples) {
    return Math.floor(reply.fromMs + (samples * 1000) / this.#player.rateHz);
  }
}
