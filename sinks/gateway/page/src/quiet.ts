// What is quieted says who owns that and how long it lasts. It follows the
// records alone: a time that is over makes nothing sound, it is said.

import { AlarmSignal } from "./gen/alarms_pb";
import * as words from "./words";

/** Whether an alarm is to be heard, as the alarms stage said. */
export type Signal = "sounding" | "acknowledged" | "paused";

/** signal reads an alarm's signal. One that is not said, or not known here, sounds. */
export function signal(of: AlarmSignal): Signal {
  switch (of) {
    case AlarmSignal.ACKNOWLEDGED:
      return "acknowledged";
    case AlarmSignal.PAUSED:
      return "paused";
    default:
      return "sounding";
  }
}

/** What is quiet, by whom, and until when (ms UTC; 0: it does not end by itself). */
export interface Quiet {
  readonly is: "acknowledged" | "paused" | "standby";
  readonly by: string;
  readonly until: number;
}

/** The time of a quiet, as a bar says it. */
export interface Left {
  readonly text: string;
  /** The same where there is little room: the bell beside it says the rest. */
  readonly short: string;
  /** It is over by the page's clock, and no record has said so: the page's own word. */
  readonly own: boolean;
}

/** Quiet that should be over is not told to be for this long, ms: its record is on its way. */
export const OVERDUE_MS = 2_000;

/** who says who quieted it. */
export function who({ is, by }: Quiet): string {
  const what = is === "acknowledged" ? "Acknowledged" : is === "paused" ? "Paused" : "Standby";
  return by ? `${what} by ${by}` : what;
}

/** overdue says that its time is over and nobody has said so. */
export function overdue(quiet: Quiet, now: number): boolean {
  return quiet.until > 0 && now - quiet.until >= OVERDUE_MS;
}

/** left says how long it lasts from now (ms UTC) on; null: it does not end by itself. */
export function left(quiet: Quiet, now: number): Left | null {
  if (quiet.until === 0) return null;
  if (overdue(quiet, now)) {
    const short = `over ${words.stopwatch(now - quiet.until)}`;
    return { text: `${quiet.is === "acknowledged" ? "quiet" : quiet.is === "paused" ? "pause" : "standby"} ${short}`, short, own: true };
  }
  const short = words.stopwatch(quiet.until - now);
  return { text: quiet.is === "acknowledged" ? `again in ${short}` : `${short} left`, short, own: false };
}
