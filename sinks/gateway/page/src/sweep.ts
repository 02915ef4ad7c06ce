// Where a time lies on a strip. Everything here is pure.

/** CSS pixels in a millimetre, until a display is calibrated: 96 / 25.4. */
export const PX_PER_MM = 96 / 25.4;

/** Width of the erase bar in CSS pixels: 4 mm. */
export const ERASE_PX = 15;

/** Left edge of the trace in a strip; left of it stand the lead's name and the 1 mV bracket. */
export const TRACE_LEFT = 14;

/** Paper speed and gain of a page's strips. */
export interface Scale {
  /** mm/s: 12.5, 25 or 50. */
  readonly speed: number;
  /** mm/mV: 5, 10 or 20. */
  readonly gain: number;
}

/** CSS pixels in a millivolt. */
export function pxPerMillivolt(scale: Scale): number {
  return scale.gain * PX_PER_MM;
}

/** CSS pixels in a millisecond. */
export function pxPerMs(scale: Scale): number {
  return (scale.speed * PX_PER_MM) / 1000;
}

/**
 * Sweep places times on a strip that is written from left to right again and
 * again. Strips of equal width share one cursor, because a column depends on
 * the time alone.
 */
export class Sweep {
  /** Milliseconds of one pass. */
  readonly period: number;

  /** A trace of width CSS pixels that begins at left. */
  constructor(
    readonly left: number,
    readonly width: number,
    readonly perMs: number,
  ) {
    this.period = width / perMs;
  }

  /** The pass in which a time (ms) falls. */
  pass(time: number): number {
    return Math.floor(time / this.period);
  }

  /** When a pass begins (ms). */
  start(pass: number): number {
    return pass * this.period;
  }

  /** The column (CSS pixels) of a time, as seen from a pass: outside of the strip if it is not in it. */
  x(time: number, pass: number): number {
    return this.left + (time - this.start(pass)) * this.perMs;
  }

  /** The column (CSS pixels) of a time in its own pass. */
  column(time: number): number {
    return this.x(time, this.pass(time));
  }
}

/**
 * playout is how far (ms) the cursor stays behind the server's time: the longest
 * frame in use and 0.2 s, at most 1.5 s.
 */
export function playout(longestFrameMs: number): number {
  return Math.min(longestFrameMs + 200, 1500);
}
