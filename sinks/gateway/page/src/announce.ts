// What readers of the page hear: a new HIGH at once and once, all else merged
// into at most one message in 5 s.

import type { Spoken } from "./messages";

/** Least time between two polite messages, ms. */
const QUIET_MS = 5_000;

/** Announcer merges messages. */
export class Announcer {
  private waiting: string[] = [];
  private last = -Infinity;

  constructor(
    private readonly assertive: (text: string) => void,
    private readonly polite: (text: string) => void,
  ) {}

  /** update takes what is new, the worst first, and says what is due at now (ms). */
  update(spoken: readonly Spoken[], now: number): void {
    const high = spoken.filter((one) => one.assertive).map((one) => one.text);
    if (high.length > 0) this.assertive(high.join(". "));
    this.waiting.push(...spoken.filter((one) => !one.assertive).map((one) => one.text));
    if (this.waiting.length === 0 || now - this.last < QUIET_MS) return;
    this.polite(this.waiting.join(". "));
    this.waiting = [];
    this.last = now;
  }
}
