// The last samples of a patient, as they lie in time.

import { Baseline } from "./baseline";
import type { Samples as Message } from "./gen/frames_pb";

/** Kept behind the newest sample: more than any strip shows. ms. */
const KEPT_MS = 40_000;

/** A frame whose last sample is older than this on arrival is late: ms (rule "late is apart"). */
const LATE_MS = 10_000;

/** A gap in one device's samples after which its baseline begins anew: ms. */
const FORGET_MS = 2_000;

/** One lead's part of a run: mV about its baseline, NaN where missing or off. */
export interface LeadRun {
  readonly name: string;
  readonly off: boolean;
  readonly values: Float32Array;
}

/** Samples of one frame; times are ms UTC in sample time. */
export interface Run {
  readonly device: string;
  readonly boot: number;
  /** Number of the first sample since the boot. */
  readonly first: number;
  readonly start: number;
  readonly dt: number;
  readonly count: number;
  readonly leads: readonly LeadRun[];
  /** Times of pace pulses. */
  readonly pulses: readonly number[];
  /** The first sample follows the last one of the run before. */
  readonly joined: boolean;
}

/** A stretch without samples: ms UTC. */
export interface Gap {
  readonly from: number;
  to: number;
  /** Samples came, but every lead was off. */
  readonly off: boolean;
}

/** Where a run ends: the time of the sample after its last. */
export const runEnd = (run: Run) => run.start + run.count * run.dt;

/**
 * Samples holds a patient's newest runs in order. A run is placed by device,
 * boot and sample; what was held already is dropped, and so is what comes after
 * newer samples or too late: a ward strip never rewrites what it has swept.
 */
export class Samples {
  runs: Run[] = [];
  gaps: Gap[] = [];
  /** Time of the newest sample, ms; NaN: none yet. */
  newest = NaN;
  /** Time of the newest sample with a lead on, ms; NaN: none yet. */
  newestOn = NaN;
  /** Every lead of the newest run is off. */
  allOff = false;
  battery: number | null = null;
  /** Names of the leads a strip shows, best first; grows stale only when a lead goes off. */
  shown: string[] = [];
  /** Counts changes that ask for a strip to be drawn anew. */
  epoch = 0;
  /** The earliest time that was added or changed since a strip last drew, ms. */
  dirty = Infinity;
  /** Length of the newest frame, ms. */
  frameMs = 0;
  private readonly baselines = new Map<string, Baseline>();

  /** add takes a run and says whether it was new. analysed is the lead that beats are taken from, or "". */
  add(message: Message, analysed: string): boolean {
    const dt = 1000 / message.rate;
    const start = Number(message.timeUs) / 1000;
    const arrival = Number(message.arrivalUs) / 1000;
    if (!(dt > 0) || !Number.isFinite(dt) || message.count === 0) return false;
    const end = start + (message.count - 1) * dt;
    if (arrival > 0 && arrival - end > LATE_MS) return false;
    const last = this.runs[this.runs.length - 1];
    const boot = Number(message.boot);
    const first = Number(message.first);
    const same = last !== undefined && last.device === message.device && last.boot === boot;
    if (last && last.device === message.device && boot < last.boot) return false;
    const skip = same ? Math.max(0, last.first + last.count - first) : 0;
    if (skip >= message.count || (last && !same && end <= this.newest)) return false;
    const joined = same && last.first + last.count === first + skip;
    this.follow(last, start, same, joined);
    const run: Run = {
      device: message.device,
      boot,
      first: first + skip,
      start: start + skip * dt,
      dt,
      count: message.count - skip,
      leads: this.leads(message, skip, dt),
      pulses: message.pacePulses.filter((offset) => offset >= skip).map((offset) => start + offset * dt),
      joined,
    };
    this.runs.push(run);
    this.note(run, message, end, skip);
    this.choose(run, analysed);
    this.forget();
    return true;
  }

  /** Empties it, for a snapshot to fill. */
  clear(): void {
    this.runs = [];
    this.gaps = [];
    this.newest = this.newestOn = NaN;
    this.allOff = false;
    this.baselines.clear();
    this.epoch++;
  }

  /** States the gap before a run that does not join, and forgets baselines that no longer hold. */
  private follow(last: Run | undefined, start: number, same: boolean, joined: boolean): void {
    if (last === undefined || joined) return;
    const end = runEnd(last);
    if (start > end) this.gap(end, start, false);
    if (!same || start - end > FORGET_MS) for (const baseline of this.baselines.values()) baseline.reset();
  }

  private leads(message: Message, skip: number, dt: number): LeadRun[] {
    return message.leads.map((lead) => {
      const values = new Float32Array(message.count - skip).fill(NaN);
      const scale = lead.microvoltsPerCount / 1000;
      let count = 0;
      const length = Math.min(message.count, lead.deltas.length);
      for (let i = 0; i < length; i++) {
        count += lead.deltas[i]!;
        if (i >= skip && !lead.off && !missing(message.missing, i)) values[i - skip] = count * scale;
      }
      let baseline = this.baselines.get(lead.name);
      if (!baseline) this.baselines.set(lead.name, (baseline = new Baseline()));
      baseline.remove(values, dt);
      return { name: lead.name, off: lead.off, values };
    });
  }

  private note(run: Run, message: Message, end: number, skip: number): void {
    const { start, dt, count } = run;
    this.allOff = run.leads.length > 0 && run.leads.every((lead) => lead.off);
    if (this.allOff) this.gap(start, start + count * dt, true);
    else {
      for (let i = 0; i < count; i++) {
        if (!missing(message.missing, i + skip)) continue;
        const from = i;
        while (i < count && missing(message.missing, i + skip)) i++;
        this.gap(start + from * dt, start + i * dt, false);
      }
      this.newestOn = end;
    }
    this.newest = Number.isNaN(this.newest) ? end : Math.max(this.newest, end);
    this.frameMs = message.count * dt;
    this.dirty = Math.min(this.dirty, start);
    if (message.batteryPercent !== undefined) this.battery = message.batteryPercent;
  }

  /** Adds a gap, or makes the last one longer. */
  private gap(from: number, to: number, off: boolean): void {
    const last = this.gaps[this.gaps.length - 1];
    if (last && last.off === off && Math.abs(last.to - from) < 0.5) last.to = to;
    else this.gaps.push({ from, to, off });
    this.dirty = Math.min(this.dirty, this.gaps[this.gaps.length - 1]!.from);
  }

  /** Keeps the shown leads while they are on: a strip that changes its lead for no reason misleads. */
  private choose(run: Run, analysed: string): void {
    const on = run.leads.filter((lead) => !lead.off).map((lead) => lead.name);
    if (on.length === 0 || (this.shown.length > 0 && this.shown.every((name) => on.includes(name)))) {
      if (this.shown.length >= Math.min(2, on.length)) return;
    }
    const kept = this.shown.filter((name) => on.includes(name));
    const rest = on.filter((name) => !kept.includes(name));
    if (kept.length === 0 && rest.includes(analysed)) rest.unshift(...rest.splice(rest.indexOf(analysed), 1));
    this.shown = [...kept, ...rest].slice(0, 2);
    this.epoch++;
  }

  private forget(): void {
    const horizon = this.newest - KEPT_MS;
    let n = 0;
    while (n < this.runs.length && runEnd(this.runs[n]!) < horizon) n++;
    if (n > 0) this.runs.splice(0, n);
    while (this.gaps.length > 0 && this.gaps[0]!.to < horizon) this.gaps.shift();
  }
}

function missing(bitmap: Uint8Array, i: number): boolean {
  return ((bitmap[i >> 3] ?? 0) & (1 << (i & 7))) !== 0;
}

/** Runs that hold any time of from to to. */
export function overlapping(runs: readonly Run[], from: number, to: number): readonly Run[] {
  let begin = runs.length;
  while (begin > 0 && runEnd(runs[begin - 1]!) >= from) begin--;
  let end = begin;
  while (end < runs.length && runs[end]!.start <= to) end++;
  return runs.slice(begin, end);
}

/** Least and greatest mV of a lead over the last ms. */
export function extent(samples: Samples, name: string, ms: number): [number, number] {
  let low = 0;
  let high = 0;
  for (const run of overlapping(samples.runs, samples.newest - ms, samples.newest)) {
    for (const value of run.leads.find((lead) => lead.name === name)?.values ?? []) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}
