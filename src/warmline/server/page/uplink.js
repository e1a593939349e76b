// @ts-check
/** Microphone frames on their way to the server: late is worse than lost. */

import { encodeFrame } from "./base64.js";

const LIMIT_S = 1;
const HELD_FRAMES = 25;
const WIRE_BYTES_PER_SAMPLE = (2 * 4) / 3;

export class Uplink {
  #wire;
  #limitBytes;
  #onDropped;
  /** @type {ArrayBuffer[]} */
  #held = [];

  /**
   * @param {import("./wire.js").Wire} wire
   * @param {number} rateHz of the frames
   * @param {(frames: number) => void} onDropped called with how many frames were given up
   */
  constructor(wire, rateHz, onDropped) {
    this.#wire = wire;
    this.#limitBytes = LIMIT_S * rateHz * WIRE_BYTES_PER_SAMPLE;
    this.#onDropped = onDropped;
  }

  /**
   * Send a frame, or hold it while a second of audio waits in the socket already. Of those held,
   * the oldest are dropped beyond half a second: the server hears a gap instead of the past.
   *
   * @param {ArrayBuffer} frame
   * @returns {number} frames sent now
   */
  push(frame) {
    this.#held.push(frame);
    let sent = 0;
    while (this.#held.length && this.#wire.bufferedBytes < this.#limitBytes) {
      const next = /** @type {ArrayBuffer} */ (this.#held.shift());
      this.#wire.send({ type: "input_audio_buffer.append", audio: encodeFrame(next) });
      sent += 1;
    }
    const surplus = this.#held.length - HELD_FRAMES;
    if (surplus > 0) {
      this.#held.splice(0, surplus);
      this.#onDropped(surplus);
    }
    return sent;
  }
}
