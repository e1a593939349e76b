// @ts-check
/** Replies' samples in, sound out, and the truth about what was rendered. */

const FADE_S = 0.005;
const PROGRESS_S = 0.5;
const METER_S = 0.05;
const AUDIBLE = 1e-4;

/**
 * @typedef {object} Reply
 * @property {string} id
 * @property {Int16Array[]} chunks not rendered yet, in order
 * @property {number} offset samples rendered of the first chunk
 * @property {number} played samples rendered
 * @property {number} told `played` at the last progress report
 * @property {boolean} ended no more chunks will come
 * @property {boolean} stopping
 * @property {boolean} dry ran out of samples before it ended
 */

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    /** @type {Reply[]} the first is being played; what comes after waits for it */
    this.replies = [];
    this.rendered = 0;
    this.audible = 0;
    this.squares = 0;
    this.metered = 0;
    this.wasAudible = false;
    this.port.onmessage = ({ data }) => {
      if (data.type === "enqueue") this.enqueue(data.id, data.samples);
      if (data.type === "end") this.end(data.id);
      if (data.type === "stop") this.stop(data.id);
    };
  }

  /** @param {string} id @returns {Reply} */
  reply(id) {
    const known = this.replies.find((reply) => reply.id === id);
    if (known) return known;
    const reply = { id, chunks: [], offset: 0, played: 0, told: 0, ended: false, stopping: false, dry: false };
    this.replies.push(reply);
    return reply;
  }

  /** @param {string} id @param {Int16Array} samples */
  enqueue(id, samples) {
    const reply = this.reply(id);
    if (samples.length && !reply.stopping) reply.chunks.push(samples);
  }

  /** @param {string} id */
  end(id) {
    this.reply(id).ended = true;
  }

  /** Drop what is queued; sound that is on its way fades out within the next quantum. @param {string} id */
  stop(id) {
    const reply = this.replies.find((one) => one.id === id);
    if (reply && reply === this.replies[0] && reply.played > 0 && reply.chunks.length) {
      reply.stopping = true;
      return;
    }
    this.replies = this.replies.filter((one) => one !== reply);
    this.port.postMessage({ type: "stopped", id, played: reply ? reply.played : null, atS: currentTime });
  }

  /** @param {Float32Array[][]} _inputs @param {Float32Array[][]} outputs */
  process(_inputs, outputs) {
    const out = outputs[0][0];
    let at = 0;
    while (at < out.length && this.replies.length) {
      const reply = this.replies[0];
      if (reply.stopping) at = this.fadeOut(reply, out, at);
      else if (reply.chunks.length) at = this.render(reply, out, at);
      else if (reply.ended) this.leave("drained", reply, at);
      else {
        this.runDry(reply);
        break;
      }
    }
    this.meter(out);
    return true;
  }

  /** Copy samples until the output or the chunk is full. @param {Reply} reply @param {Float32Array} out @param {number} at */
  render(reply, out, at) {
    if (reply.played === 0) this.port.postMessage({ type: "started", id: reply.id, atS: currentTime + at / sampleRate });
    const chunk = reply.chunks[0];
    const count = Math.min(out.length - at, chunk.length - reply.offset);
    for (let i = 0; i < count; i += 1) out[at + i] = chunk[reply.offset + i] / 32768;
    reply.offset += count;
    reply.played += count;
    reply.dry = false;
    if (reply.offset === chunk.length) {
      reply.chunks.shift();
      reply.offset = 0;
    }
    if (reply.played - reply.told >= PROGRESS_S * sampleRate) {
      reply.told = reply.played;
      this.port.postMessage({ type: "progress", id: reply.id, played: reply.played });
    }
    return at + count;
  }

  /** Render a ramp to silence, short enough for one quantum. @param {Reply} reply @param {Float32Array} out @param {number} at */
  fadeOut(reply, out, at) {
    const fade = Math.min(Math.round(FADE_S * sampleRate), out.length - at);
    let done = 0;
    while (done < fade && reply.chunks.length) {
      const chunk = reply.chunks[0];
      const count = Math.min(fade - done, chunk.length - reply.offset);
      for (let i = 0; i < count; i += 1) {
        out[at + done + i] = (chunk[reply.offset + i] / 32768) * (1 - (done + i + 1) / fade);
      }
      reply.offset += count;
      done += count;
      if (reply.offset === chunk.length) {
        reply.chunks.shift();
        reply.offset = 0;
      }
    }
    reply.played += done;
    this.leave("stopped", reply, at + done);
    return at + done;
  }

  /** @param {"drained" | "stopped"} type @param {Reply} reply @param {number} at */
  leave(type, reply, at) {
    this.replies.shift();
    this.port.postMessage({ type, id: reply.id, played: reply.played, atS: currentTime + at / sampleRate });
  }

  /** Count a gap once, however long it lasts. @param {Reply} reply */
  runDry(reply) {
    if (reply.dry || reply.played === 0) return;
    reply.dry = true;
    this.port.postMessage({ type: "underrun", id: reply.id });
  }

  /** Tell the level while there is sound, and once when it has ceased. @param {Float32Array} out */
  meter(out) {
    for (let i = 0; i < out.length; i += 1) {
      this.squares += out[i] * out[i];
      if (Math.abs(out[i]) > AUDIBLE) this.audible += 1;
    }
    this.rendered += out.length;
    this.metered += out.length;
    if (this.metered < METER_S * sampleRate) return;
    const rms = Math.sqrt(this.squares / this.metered);
    if (rms > 0 || this.wasAudible) {
      this.port.postMessage({ type: "level", rms, audible: this.audible, rendered: this.rendered, atS: currentTime });
    }
    this.wasAudible = rms > 0;
    this.squares = 0;
    this.metered = 0;
  }
}

registerProcessor("warmline-playback", Playback);
