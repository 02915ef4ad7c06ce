// What the page says, exactly. Times of day are the browser's zone.

/** Old after this many ms without a newer sample. */
export const DELAYED_MS = 2_000;
/** Gone after this many ms without a newer sample. */
export const NO_DATA_MS = 10_000;
/** The banner comes after this many ms without a message. */
export const BANNER_MS = 3_000;
/** Every tile is not live after this many ms without a message. */
export const NOT_LIVE_MS = 5_000;
/** Nobody decides if no decision is newer than this many ms. */
export const DECISION_MS = 15_000;

/** Unknown: never the last value. */
export const UNKNOWN_RATE = "– – –";
export const UNKNOWN = "–";

/** How old a patient's newest sample is, in words' terms. */
export type Age = "live" | "delayed" | "nodata";

/** age judges by ms since the newest sample. */
export function age(ms: number): Age {
  return ms <= DELAYED_MS ? "live" : ms < NO_DATA_MS ? "delayed" : "nodata";
}

const two = (n: number) => String(n).padStart(2, "0");

/** m:ss, or h:mm:ss from an hour on. */
export function stopwatch(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const rest = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${rest}` : rest.replace(/^0/, "");
}

/** 18 s, then 1:06. */
export function since(ms: number): string {
  return ms < 60_000 ? `${Math.max(0, Math.floor(ms / 1000))} s` : stopwatch(ms);
}

/** for 18 seconds, for 1 minute 6 seconds: for readers. */
export function spoken(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const unit = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  if (s < 60) return unit(s, "second");
  if (s < 3600) return `${unit(Math.floor(s / 60), "minute")}${s % 60 ? ` ${unit(s % 60, "second")}` : ""}`;
  return `${unit(Math.floor(s / 3600), "hour")} ${unit(Math.floor(s / 60) % 60, "minute")}`;
}

/** 14:32:07 of a UTC time in ms. */
export function timeOfDay(ms: number): string {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** 14:32 of a UTC time in ms. */
export function hourMinute(ms: number): string {
  return timeOfDay(ms).slice(0, 5);
}

/** live 0.4 s: ms is the age of the newest sample. */
export function live(ms: number): string {
  return `live ${(Math.max(0, ms) / 1000).toFixed(1)} s`;
}

/** DELAYED 4 s. */
export function delayed(ms: number): string {
  return `DELAYED ${Math.floor(ms / 1000)} s`;
}

/** A whole number with real signs, for values and limits. */
export function whole(value: number): string {
  return String(Math.round(value)).replace("-", "−");
}

/** gap 1.4 s. */
export function gap(ms: number): string {
  return `gap ${(ms / 1000).toFixed(1)} s`;
}

/** What a page without its server says. */
export function notConnected(silentMs: number, lastData: number | null, retryMs: number | null): [string, string] {
  const last = lastData === null ? "No data yet." : `Last data ${timeOfDay(lastData)}.`;
  const retry = retryMs === null ? "Retrying now." : `Retrying in ${Math.max(1, Math.ceil(retryMs / 1000))} s.`;
  return [`NOT CONNECTED ${stopwatch(silentMs)}`, `Nothing on this page is live. ${last} ${retry}`];
}

/** What a page says when nobody decides: decided is the last decision (ms), null if there was none. */
export function monitoringStopped(unit: string, decided: number | null): [string, string] {
  const when = decided === null ? "No decision yet." : `No decision since ${timeOfDay(decided)}.`;
  return [`MONITORING STOPPED${unit ? `: ${unit}` : ""}`, `${when} Go to the patients.`];
}

export const NO_SOUND: [string, string] = ["NO SOUND", "Alarms on this page are silent. Click anywhere to turn sound on."];
export const NO_DEVICE = ["Heartwire is not a certified medical device", "Use it beside, never instead of, a certified monitor."] as const;
