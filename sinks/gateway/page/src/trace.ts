// From samples to the points of a line. Everything here is pure.

/** What a path is written to: a canvas context, or a test. */
export interface Pen {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
}

/** How samples lie on a strip. */
export interface Placing {
  /** Column of sample 0, CSS pixels. */
  readonly x0: number;
  /** Columns from one sample to the next, CSS pixels. */
  readonly dx: number;
  /** Row of 0 mV, CSS pixels from the top. */
  readonly baseline: number;
  /** CSS pixels in a millivolt. */
  readonly perMillivolt: number;
  /** Rows that the trace may use; it is clipped to them. */
  readonly top: number;
  readonly bottom: number;
  /** Device pixels in a CSS pixel. */
  readonly ratio: number;
}

/** The row of a value in mV, clipped. */
export function row(millivolts: number, at: Placing): number {
  const y = at.baseline - millivolts * at.perMillivolt;
  return y < at.top ? at.top : y > at.bottom ? at.bottom : y;
}

/**
 * draw writes samples from ≤ i < to (mV; NaN is missing) to the pen and returns
 * whether the line goes on at the end. Up to 2 samples in a device column it is
 * a polyline; above that the minimum and maximum of each column in the order
 * in which they came, so that a spike of one sample never vanishes.
 */
export function draw(pen: Pen, values: Float32Array, from: number, to: number, at: Placing, joined: boolean): boolean {
  if (at.dx * at.ratio >= 0.5) return polyline(pen, values, from, to, at, joined);
  return columns(pen, values, from, to, at, joined);
}

function polyline(pen: Pen, values: Float32Array, from: number, to: number, at: Placing, joined: boolean): boolean {
  for (let i = from; i < to; i++) {
    const value = values[i]!;
    if (value !== value) {
      joined = false;
      continue;
    }
    const x = at.x0 + i * at.dx;
    const y = row(value, at);
    if (joined) pen.lineTo(x, y);
    else pen.moveTo(x, y);
    joined = true;
  }
  return joined;
}

function columns(pen: Pen, values: Float32Array, from: number, to: number, at: Placing, joined: boolean): boolean {
  let i = from;
  while (i < to) {
    if (values[i] !== values[i]) {
      joined = false;
      i++;
      continue;
    }
    const column = Math.floor((at.x0 + i * at.dx) * at.ratio);
    let low = i;
    let high = i;
    let next = i + 1;
    while (next < to && Math.floor((at.x0 + next * at.dx) * at.ratio) === column) {
      const value = values[next]!;
      if (value !== value) break;
      if (value < values[low]!) low = next;
      if (value > values[high]!) high = next;
      next++;
    }
    const x = (column + 0.5) / at.ratio;
    const first = Math.min(low, high);
    const last = Math.max(low, high);
    if (joined) pen.lineTo(x, row(values[first]!, at));
    else pen.moveTo(x, row(values[first]!, at));
    if (last !== first) pen.lineTo(x, row(values[last]!, at));
    if (next - 1 !== last) pen.lineTo(x, row(values[next - 1]!, at));
    joined = true;
    i = next;
  }
  return joined;
}

/** Shares of the height at which 0 mV may lie; the first is the rule. */
const BASELINES = [0.66, 0.58, 0.5] as const;

/**
 * baselineShare chooses where 0 mV lies so that a trace between low and high
 * (mV) fits a strip of height CSS pixels: at 66 % of it, or 58 or 50 % where the
 * trace reaches further down than that leaves room for, and not as far up.
 */
export function baselineShare(low: number, high: number, height: number, perMillivolt: number): number {
  const cut = (share: number) =>
    Math.max(0, -low * perMillivolt - (1 - share) * height + 2) + Math.max(0, high * perMillivolt - share * height + 2);
  let best: number = BASELINES[0];
  for (const share of BASELINES) if (cut(share) < cut(best) - 1) best = share;
  return best;
}
