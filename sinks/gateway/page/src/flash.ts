// One clock for every flash of the page (IEC 60601-1-8: HIGH 1.4–2.8 Hz,
// MEDIUM 0.4–0.8 Hz). Both begin bright; together they stay at three changes to
// bright in any second.

/** Hz. */
export const HIGH_HZ = 2;
export const MEDIUM_HZ = 0.6;

/** Whether a flash of hz is in its bright half at a time (ms of the page's clock). */
export function bright(hz: number, ms: number): boolean {
  return ((ms * hz) / 1000) % 1 < 0.5;
}
