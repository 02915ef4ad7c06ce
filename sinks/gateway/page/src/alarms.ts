// The order and the looks of alarms. No rule, limit or priority is decided
// here: the alarms stage sent them.

import { AlarmCondition, Responsibility, type AlarmState } from "./gen/alarms_pb";
import { Priority } from "./gen/limits_pb";
import { signal, type Quiet, type Signal } from "./quiet";

/** A priority as the page shows it. */
export type Level = "HIGH" | "MEDIUM" | "LOW";

/** An open alarm as the page keeps it; times are ms UTC. */
export interface Open {
  readonly id: string;
  readonly patient: string;
  readonly version: number;
  readonly level: Level;
  readonly technical: boolean;
  readonly latched: boolean;
  readonly text: string;
  readonly lead: string;
  readonly rule: string;
  readonly onset: number;
  readonly ended: number;
  readonly signal: Signal;
  /** Until when and by whom it is acknowledged or paused; until 0: it does not end by itself. */
  readonly until: number;
  readonly by: string;
  /** Who sees to it, in words; "": nobody was asked, or has answered yet. */
  readonly responsible: string;
}

/**
 * level is the priority as sent. One that this page does not know is shown as
 * HIGH; known tells, so that it can be counted.
 */
export function level(priority: Priority): { level: Level; known: boolean } {
  switch (priority) {
    case Priority.HIGH:
      return { level: "HIGH", known: true };
    case Priority.MEDIUM:
      return { level: "MEDIUM", known: true };
    case Priority.LOW:
      return { level: "LOW", known: true };
    default:
      return { level: "HIGH", known: false };
  }
}

/** open reads an alarm's state. An unknown condition counts as active. */
export function open(patient: string, state: AlarmState): Open {
  return {
    id: state.id,
    patient,
    version: state.version,
    level: level(state.priority).level,
    technical: state.technical,
    latched: state.condition === AlarmCondition.LATCHED,
    text: state.text || state.rule || "ALARM",
    lead: state.lead,
    rule: state.rule,
    onset: Number(state.onsetUs) / 1000,
    ended: Number(state.endedUs) / 1000,
    signal: signal(state.signal),
    until: Number(state.signalUntilUs) / 1000,
    by: state.signalBy,
    responsible: responsible(state),
  };
}

function responsible(state: AlarmState): string {
  switch (state.responsibility) {
    case Responsibility.ACCEPTED:
      return state.responsible ? `${state.responsible} accepted` : "Accepted";
    case Responsibility.REJECTED:
      return "Rejected, nobody has accepted";
    case Responsibility.TIMED_OUT:
      return "Nobody answered in time";
    default:
      return "";
  }
}

/** quietOf is why an alarm does not sound; null: it does. */
export function quietOf(alarm: Open): Quiet | null {
  return alarm.signal === "sounding" ? null : { is: alarm.signal, by: alarm.by, until: alarm.until };
}

const RANK: Record<Level, number> = { HIGH: 0, MEDIUM: 1, LOW: 2 };

const LOUD: Record<Signal, number> = { sounding: 0, acknowledged: 1, paused: 2 };

/**
 * compare orders alarms as the rail shows them: HIGH, MEDIUM, LOW; within each
 * what sounds, of it what has latched last; then what is acknowledged, then
 * paused, then latched and quiet; then of the body before technical; then newest first.
 */
export function compare(a: Open, b: Open): number {
  return (
    RANK[a.level] - RANK[b.level] ||
    rest(a) - rest(b) ||
    Number(a.technical) - Number(b.technical) ||
    b.onset - a.onset ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}

/** rest is how little an alarm asks for now, among those of its priority. */
function rest(alarm: Open): number {
  if (!alarm.latched) return 2 * LOUD[alarm.signal];
  return alarm.signal === "sounding" ? 1 : 5;
}

/**
 * causeIsRate says whether the heart rate's number takes the alarm's colour:
 * every HIGH alarm of the body is about the heart's rate or rhythm, and below
 * HIGH the family hr is. It colours a number and decides nothing.
 */
export function causeIsRate(alarm: Open): boolean {
  return !alarm.technical && (alarm.level === "HIGH" || alarm.rule.startsWith("hr"));
}
