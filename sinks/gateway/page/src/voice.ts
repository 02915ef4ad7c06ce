// Plays the schedule on the audio clock.

import { BURSTS, HARMONICS, RISE, type Tune } from "./schedule";

/** Volume of 0 to 1. A page's volume is never 0. */
export const VOLUME = 0.8;

/** A burst is scheduled when it is due within this many seconds. */
const AHEAD = 0.6;

/** sound writes a burst into a context at a time (s) and returns what stops it. */
export function sound(context: BaseAudioContext, into: AudioNode, tune: Tune, at: number): (now: number) => void {
  const imaginary = new Float32Array([0, ...HARMONICS]);
  const wave = context.createPeriodicWave(new Float32Array(imaginary.length), imaginary);
  const gain = context.createGain();
  gain.gain.value = VOLUME;
  gain.connect(into);
  const tones: OscillatorNode[] = [];
  for (const pulse of BURSTS[tune].pulses) {
    const envelope = context.createGain();
    const begin = at + pulse.at;
    const end = begin + pulse.length;
    envelope.gain.setValueAtTime(0, begin);
    envelope.gain.linearRampToValueAtTime(1, begin + RISE);
    envelope.gain.setValueAtTime(1, end - RISE);
    envelope.gain.linearRampToValueAtTime(0, end);
    envelope.connect(gain);
    const tone = context.createOscillator();
    tone.setPeriodicWave(wave);
    tone.frequency.value = pulse.pitch;
    tone.connect(envelope);
    tone.start(begin);
    tone.stop(end);
    tones.push(tone);
  }
  return (now) => {
    gain.gain.setTargetAtTime(0, now, 0.005);
    for (const tone of tones) tone.stop(now + 0.05);
  };
}

/**
 * Voice is the one voice of the page. Call update often: it keeps the audio
 * clock under watch, and the schedule ahead of it.
 */
export class Voice {
  private context: AudioContext | null = null;
  private tune: Tune | null = null;
  private mark = "";
  private next = Infinity;
  private stop: ((now: number) => void) | null = null;
  private seen = { time: -1, at: 0 };

  /** Whether the audio clock runs: false without a click, or when it stood still for 1 s. */
  on = false;

  /** Asks the browser for sound: at once where it allows it, else from within a click or key. */
  unlock(): void {
    try {
      this.context ??= new AudioContext({ latencyHint: "interactive" });
      if (this.context.state !== "running") void this.context.resume().catch(() => undefined);
    } catch {
      this.context = null; // no audio device: the banner stays
    }
  }

  /**
   * update sounds a tune from now on, or null. mark tells two single pulses
   * apart: a LOW alarm sounds once. now is the page's clock in ms.
   */
  update(tune: Tune | null, mark: string, now: number): void {
    this.watch(now);
    const context = this.context;
    if (!context || !this.on) {
      this.tune = null;
      return;
    }
    if (tune !== this.tune || (tune === "LOW" && mark !== this.mark)) {
      this.stop?.(context.currentTime);
      this.stop = null;
      this.next = tune === null || (tune === "LOW" && mark === this.mark) ? Infinity : context.currentTime + 0.03;
      this.tune = tune;
      if (tune === "LOW") this.mark = mark;
    }
    if (this.tune !== null && context.currentTime + AHEAD >= this.next) this.burst(this.tune, context);
  }

  /** Sounds one LOW pulse, so that a person can hear that the loudspeaker works. */
  test(): void {
    if (this.context && this.on) sound(this.context, this.context.destination, "LOW", this.context.currentTime + 0.03);
  }

  private burst(tune: Tune, context: AudioContext): void {
    const at = Math.max(this.next, context.currentTime + 0.01);
    this.stop = sound(context, context.destination, tune, at);
    this.next = at + BURSTS[tune].length + BURSTS[tune].rest;
  }

  private watch(now: number): void {
    const time = this.context?.state === "running" ? this.context.currentTime : -1;
    if (time < 0) {
      this.on = false;
      this.seen = { time: -1, at: now };
    } else if (time !== this.seen.time) {
      this.on = true;
      this.seen = { time, at: now };
    } else if (now - this.seen.at > 900) {
      this.on = false;
    }
  }
}
