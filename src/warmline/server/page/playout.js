// @ts-check
/** What the server is told of each reply's sound: started, so far, finished, or stopped here. */

import { decodeSamples } from "./base64.js";

/** @typedef {import("./player.js").Player} Player */
/**
 * @typedef {object} Reply
 * @property {string} itemId
 * @property {boolean} stopped nothing of it is played or reported any more, whatever is still on the wire
 * @property {boolean} complete `response.output_audio.done` has come
 * @property {number} samples rendered, as far as is known
 * @property {number} received samples that came
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
      reply = { itemId, stopped: false, complete: false, samples: 0, received: 0 };
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
    this.#player.enqueue(id, samples);
  }

  /** All of a reply's sound has come. @param {string} id @param {string} itemId */
  receivedAll(id, itemId) {
    const reply = this.#reply(id, itemId);
    if (reply.stopped) return;
    reply.complete = true;
    this.#player.end(id);
  }

  /** The reply is over on the wire: one that failed half-way is played as far as it came. @param {string} id */
  replyOver(id) {
    const reply = this.#replies.get(id);
    if (reply && !reply.stopped && !reply.complete) this.#player.end(id);
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
    const { samples, silentAtContextS } = await this.#player.stop(id);
    if (samples !== null) reply.samples = samples;
    const played_ms = this.#milliseconds(Math.min(reply.samples, reply.received));
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
      if (!reply.stopped) void this.#player.stop(id);
      reply.stopped = true;
    }
  }

  /** @param {string} id @param {number} heardAtMs */
  started(id, heardAtMs) {
    this.#when(heardAtMs, id, () => {
      this.#stats.lastPlayoutStartedAt = performance.now();
      this.#send({ type: "warmline.playout.started", response_id: id });
    });
  }

  /** @param {string} id @param {number} samples rendered so far; the last of them are not heard yet */
  progressed(id, samples) {
    const reply = this.#reply(id);
    reply.samples = samples;
    if (reply.stopped) return;
    const played_ms = Math.max(0, this.#milliseconds(samples - this.#player.latencyS * this.#player.rateHz));
    this.#send({ type: "warmline.playout.progress", response_id: id, played_ms });
  }

  /** @param {string} id @param {number} samples @param {number} heardAtMs */
  drained(id, samples, heardAtMs) {
    const reply = this.#reply(id);
    reply.samples = samples;
    if (!reply.complete) return;
    this.#when(heardAtMs, id, () => {
      this.#send({ type: "warmline.playout.finished", response_id: id, played_ms: this.#milliseconds(samples) });
    });
  }

  /** Do something when a sample is heard, unless its reply is stopped before. @param {number} atMs @param {string} id @param {() => void} act */
  #when(atMs, id, act) {
    setTimeout(() => {
      if (!this.#reply(id).stopped) act();
    }, atMs - performance.now());
  }

  /** @param {number} samples */
  #milliseconds(samples) {
    return Math.floor((samples * 1000) / this.#player.rateHz);
  }
}
