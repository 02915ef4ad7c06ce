// The sounds of alarms (IEC 60601-1-8) as times and pitches. Pure; voice.ts
// plays it.

/** What a page can sound, the worst first. */
export type Tune = "HIGH" | "MEDIUM" | "LOST" | "LOW";

/** A tone: seconds from the begin of its burst, and Hz. */
export interface Pulse {
  readonly at: number;
  readonly length: number;
  readonly pitch: number;
}

/** A burst of pulses, again after a rest. */
export interface Burst {
  readonly pulses: readonly Pulse[];
  /** Seconds from its first pulse to the end of its last. */
  readonly length: number;
  /** Seconds of rest before it comes again; Infinity: it does not. */
  readonly rest: number;
}

function burst(lengths: number, spaces: readonly number[], pitches: readonly number[], rest: number): Burst {
  const pulses: Pulse[] = [];
  let at = 0;
  pitches.forEach((pitch, i) => {
    pulses.push({ at, length: lengths, pitch });
    at += lengths + (spaces[i] ?? 0);
  });
  const last = pulses[pulses.length - 1]!;
  return { pulses, length: last.at + last.length, rest };
}

const repeat = (n: number, pitch: number) => Array.from({ length: n }, () => pitch);

/** HIGH: 10 pulses as 3 + 2, 3 + 2. LOST: the page has lost its server, or nobody decides. */
export const BURSTS: Record<Tune, Burst> = {
  HIGH: burst(0.12, [0.1, 0.1, 0.32, 0.1, 0.6, 0.1, 0.1, 0.32, 0.1], repeat(10, 660), 5),
  MEDIUM: burst(0.2, [0.2, 0.2], repeat(3, 523), 15),
  LOW: burst(0.2, [], [392], Infinity),
  LOST: burst(0.3, [0.1], [494, 330], 10),
};

/** Amplitudes of the fundamental and harmonics 2 to 5, all within 15 dB. */
export const HARMONICS = [1, 0.7, 0.55, 0.45, 0.35] as const;

/** Seconds of a pulse's rise and fall. */
export const RISE = 0.015;

/** tune chooses the one voice of the page. A page that sounds when its link breaks goes on sounding. */
export function tune(worst: "HIGH" | "MEDIUM" | "LOW" | null, lost: boolean): Tune | null {
  if (worst === "HIGH" || worst === "MEDIUM") return worst;
  return lost ? "LOST" : worst;
}
