// @ts-check
/** Microphone samples in, 20 ms frames of 16-bit samples and their level out. */

const FRAMES_PER_S = 50;

class Capture extends AudioWorkletProcessor {
  /** @param {{processorOptions: {decimation: number}}} options decimation: input samples averaged into one */
  constructor(options) {
    super();
    this.decimation = options.processorOptions.decimation;
    this.frame = new Int16Array(Math.round(sampleRate / this.decimation / FRAMES_PER_S));
    this.filled = 0;
    this.squares = 0;
    this.total = 0;
    this.count = 0;
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const samples = inputs[0][0];
    if (!samples) return true;
    for (let i = 0; i < samples.length; i += 1) {
      this.total += samples[i];
      this.count += 1;
      if (this.count === this.decimation) {
        this.take(this.total / this.count);
        this.total = 0;
        this.count = 0;
      }
    }
    return true;
  }

  /** @param {number} sample */
  take(sample) {
    const clipped = Math.max(-1, Math.min(1, sample));
    this.frame[this.filled] = clipped < 0 ? clipped * 32768 : clipped * 32767;
    this.filled += 1;
    this.squares += clipped * clipped;
    if (this.filled < this.frame.length) return;
    const pcm = this.frame.slice().buffer;
    this.port.postMessage({ pcm, rms: Math.sqrt(this.squares / this.filled) }, [pcm]);
    this.filled = 0;
    this.squares = 0;
  }
}

registerProcessor("warmline-capture", Capture);
