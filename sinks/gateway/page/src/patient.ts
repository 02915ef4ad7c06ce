// One patient as the page knows them.

import { causeIsRate, compare, quietOf, type Open } from "./alarms";
import type { Silence } from "./gen/alarms_pb";
import { BeatClass, type Annotation } from "./gen/annotations_pb";
import type { Chart, Second } from "./gen/chart_pb";
import type { Limits } from "./gen/limits_pb";
import type { Bed } from "./gen/protocol_pb";
import { notLive, type Tile, type TileState } from "./messages";
import { left, overdue, who, type Quiet } from "./quiet";
import { Samples } from "./samples";
import * as words from "./words";

/** LOINC codes of the two numbers beside the heart rate. */
const SPO2 = "59408-5";
const RESP = "9279-1";

/** A spot measurement older than this is no longer shown: ms. */
const VITAL_MS = 120_000;

/** A second is said at each tick. After this many ms without one it is grey, and gone at NO_DATA_MS. */
const SECOND_MS = 4_000;

/** That a new HIGH alarm has broken a pause is said for this long, ms. */
const BROKEN_MS = 60_000;

/** Beats kept for the strip, ms behind the newest. */
const BEATS_MS = 40_000;

/** A beat's letter on a strip; time is ms UTC. */
export interface Letter {
  readonly time: number;
  readonly letter: string;
}

const LETTERS: Partial<Record<BeatClass, string>> = {
  [BeatClass.V]: "V",
  [BeatClass.F]: "F",
  [BeatClass.Q]: "Q",
};

/** What a view needs to know of the page. */
export interface Moment {
  /** Server's time, ms UTC. */
  readonly now: number;
  /** The page's clock, ms. */
  readonly local: number;
  /** Text of a lost connection, or "". */
  readonly lost: string;
}

/** Patient holds what came, and tells a tile. */
export class Patient {
  bed: Bed | null = null;
  readonly samples = new Samples();
  readonly letters: Letter[] = [];
  readonly alarms = new Map<string, Open>();
  /** False from a new connection until its snapshot has come. */
  restated = true;
  /** A pause of all alarms, as its record says. */
  private pause: Quiet | null = null;
  private standby: (Quiet & { readonly from: number; readonly reason: string }) | null = null;
  /** When a new HIGH alarm broke a pause, ms UTC. */
  private broken = -Infinity;
  private second: Second | null = null;
  private secondTime = 0;
  private secondHeard = -Infinity;
  private readonly vitals = new Map<string, { value: number; time: number }>();
  private limits = new Map<string, string>();
  private live = { text: "", shownAt: -Infinity, worst: 0 };
  private firstSeen: number | null = null;

  constructor(readonly key: string) {}

  /** annotation takes the letters of beats. Paced beats are Q by definition, and their pulses are marked instead. */
  annotation(annotation: Annotation): void {
    if (annotation.kind.case !== "beat" || annotation.late) return;
    const letter = LETTERS[annotation.kind.value.class];
    if (!letter || (letter === "Q" && this.bed?.paced)) return;
    const time = Number(annotation.timeUs) / 1000;
    this.letters.push({ time, letter });
    this.samples.dirty = Math.min(this.samples.dirty, time - 100);
    while (this.letters.length > 0 && this.letters[0]!.time < time - BEATS_MS) this.letters.shift();
  }

  /** chart takes measurements and limits. now and local are as in Moment. */
  chart(chart: Chart, now: number, local: number): void {
    const time = Number(chart.timeUs) / 1000;
    switch (chart.kind.case) {
      case "second":
        this.second = chart.kind.value;
        this.secondTime = time;
        // A second of a snapshot may be old already; a few seconds behind the clock are its way here.
        this.secondHeard = local - Math.max(0, now - time - 3_000);
        break;
      case "vital":
        this.vitals.set(chart.kind.value.loinc, { value: chart.kind.value.value, time });
        break;
      case "limits":
        this.setLimits(chart.kind.value);
        break;
    }
  }

  setLimits(limits: Limits): void {
    this.limits = new Map(limits.limits.map((limit) => [limit.rule, limit.off ? "off" : words.whole(limit.value)]));
  }

  /** silence takes a pause of all alarms, or standby, as it begins or ends; time is the record's, ms UTC. */
  silence(silence: Silence, time: number): void {
    const { person: by, reason } = silence;
    const until = Number(silence.untilUs) / 1000;
    if (silence.standby) {
      this.standby = silence.on ? { is: "standby", by, reason, until, from: Number(silence.fromUs) / 1000 } : null;
      return;
    }
    this.pause = silence.on ? { is: "paused", by, until } : null;
    if (silence.on) this.broken = -Infinity;
    else if (silence.ended === "broken") this.broken = time;
  }

  /** Forgets what a snapshot restates. */
  clear(): void {
    this.samples.clear();
    this.letters.length = 0;
    this.alarms.clear();
    this.pause = this.standby = null;
    this.second = null;
    this.secondHeard = -Infinity;
    this.restated = true;
  }

  /** The lead that beats are taken from, "" unknown. */
  get analysed(): string {
    return this.second?.lead ?? "";
  }

  /** Open alarms, the worst first. */
  open(): Open[] {
    return [...this.alarms.values()].sort(compare);
  }

  /** Whether a HIGH alarm is open. */
  get high(): boolean {
    for (const alarm of this.alarms.values()) if (alarm.level === "HIGH") return true;
    return false;
  }

  /** How the newest sample is, and so how the strip may look. */
  state(at: Moment): TileState {
    if (at.lost || !this.restated) return "notlive";
    const age = this.ageMs(at.now);
    const kind = Number.isNaN(age) ? "nodata" : words.age(age);
    const state = kind === "live" && this.samples.allOff ? "leadoff" : kind;
    // A patch that is off is what standby is for; a strip that is live stays.
    return state !== "live" && this.standby && !overdue(this.standby, at.now) ? "standby" : state;
  }

  /** Age of the newest sample, ms; NaN: there is none. */
  private ageMs(now: number): number {
    return now - this.samples.newest;
  }

  /** view is the tile now. */
  view(at: Moment): Tile {
    const state = this.state(at);
    const open = this.open();
    const worst = open[0];
    const sounds = worst?.signal === "sounding";
    this.firstSeen ??= at.now;
    const tile: Tile = {
      key: this.key,
      ...this.who(),
      state,
      note: this.note(state),
      ...this.right(state, worst, at.now),
      standby: this.standby !== null,
      signal: worst?.signal ?? (this.pause ? "paused" : "sounding"),
      level: worst?.level ?? "",
      technical: worst?.technical ?? false,
      latched: worst?.latched ?? false,
      alarm: worst?.text ?? "",
      ...this.detail(worst, at.now),
      more: Math.max(0, open.length - 1),
      moreSounds: !sounds && open.some((alarm) => alarm.signal === "sounding"),
      cause: worst !== undefined && !worst.latched && causeIsRate(worst),
      ...this.numbers(at, state),
      fresh: this.fresh(state, at),
      ...this.box(state, at),
      name: this.name(state, worst, at),
    };
    if (state !== "notlive") return tile;
    return notLive(tile, at.lost, Number.isNaN(this.samples.newest) ? "No data yet" : `Last data ${words.timeOfDay(this.samples.newest)}`);
  }

  /** Bed and alias, never an identity. */
  who(): { bed: string; alias: string; unassigned: boolean } {
    const unassigned = this.bed?.unassigned ?? false;
    return {
      bed: unassigned ? "NEW" : this.bed?.bed || "–",
      alias: unassigned ? `Patch ${this.bed?.device ?? ""}` : (this.bed?.alias ?? ""),
      unassigned,
    };
  }

  private note(state: TileState): string {
    if (this.standby) {
      const { by, from } = this.standby;
      return `Standby since ${words.hourMinute(from)}${by ? `, by ${by}` : ""}`;
    }
    if (this.pause) return `All alarms paused${this.pause.by ? ` by ${this.pause.by}` : ""}`;
    if (this.bed?.unassigned) return "No patient. Watched with site limits.";
    return state === "live" && this.bed?.paced ? "Paced" : "";
  }

  /** What stands at the bar's right: time left of a quiet, else the age of the alarm or of the values. */
  private right(state: TileState, worst: Open | undefined, now: number): { right: string; short: string; own: boolean } {
    const why = worst ? quietOf(worst) : (this.standby ?? this.pause);
    const time = why && left(why, now);
    if (!worst && this.standby && !time?.own) return { right: "STANDBY, NO ALARMS", short: "STANDBY", own: false };
    if (time) return { right: time.text, short: time.short, own: time.own };
    const text = worst ? words.since(now - worst.onset) : state === "delayed" ? this.asOf() : "";
    return { right: text, short: text, own: false };
  }

  private asOf(): string {
    return this.second ? `Values as of ${words.timeOfDay(this.secondTime)}` : "";
  }

  /** Beside the alarm's text: who quieted it before all else. */
  private detail(alarm: Open | undefined, now: number): { detail: string; shortDetail: string } {
    if (!alarm) return { detail: "", shortDetail: "" };
    const why = quietOf(alarm);
    const parts: string[] = [];
    if (why) parts.push(who(why));
    else if (alarm.level === "HIGH" && now - this.broken < BROKEN_MS) parts.push("Pause ended: new HIGH");
    if (alarm.latched) parts.push(why ? "latched" : ended(alarm));
    else if (alarm.responsible && !why) parts.push(alarm.responsible);
    else if (alarm.technical && alarm.lead) parts.push(`Lead ${alarm.lead}`);
    if (this.pause && alarm.signal === "acknowledged") parts.push(`all others paused${this.pause.by ? ` by ${this.pause.by}` : ""}`);
    const detail = parts.join(", ");
    return { detail, shortDetail: why?.by || detail };
  }

  private numbers(at: Moment, state: TileState) {
    const silent = at.local - this.secondHeard;
    const known = state !== "nodata" && state !== "standby" && silent < words.NO_DATA_MS ? this.second : null;
    const rate = state === "leadoff" ? undefined : known?.rate;
    const usable = known !== null && !known.suspended && state !== "leadoff";
    return {
      rate: rate === undefined ? words.UNKNOWN_RATE : words.whole(rate),
      grey: state === "delayed" || silent > SECOND_MS,
      high: this.limits.get("hr.high") ?? words.UNKNOWN,
      low: this.limits.get("hr.low") ?? words.UNKNOWN,
      spo2: this.vital(SPO2, at.now, state),
      resp: this.vital(RESP, at.now, state),
      quality: usable ? Math.max(1, Math.min(4, Math.ceil(known.quality * 4))) : 0,
      battery: state === "nodata" || state === "standby" ? -1 : (this.samples.battery ?? known?.batteryPercent ?? -1),
    };
  }

  private vital(loinc: string, now: number, state: TileState): string {
    const vital = this.vitals.get(loinc);
    if (!vital || state === "nodata" || state === "standby" || now - vital.time > VITAL_MS) return words.UNKNOWN;
    return words.whole(vital.value);
  }

  /** The worst age of the last second, said once a second: a number that jumps is not read. */
  private fresh(state: TileState, at: Moment): string {
    const ms = this.ageMs(at.now);
    if (state === "nodata") return "NO DATA";
    if (state === "standby") return "off";
    if (state === "delayed") return words.delayed(ms);
    if (state === "notlive") return "NOT LIVE";
    this.live.worst = Math.max(this.live.worst, ms);
    if (at.local - this.live.shownAt >= 1000) {
      this.live = { text: words.live(this.live.worst).replace("live", ""), shownAt: at.local, worst: 0 };
    }
    return (state === "leadoff" ? "device" : "live") + this.live.text;
  }

  private box(state: TileState, at: Moment): { box: string; boxDetail: string } {
    const last = this.samples.newest;
    switch (state) {
      case "standby": {
        const { reason, until } = this.standby!;
        const end = until > 0 ? `until ${words.hourMinute(until)}` : "";
        return { box: "STANDBY", boxDetail: [reason, end].filter((part) => part !== "").join(", ") };
      }
      case "delayed":
        return { box: words.delayed(this.ageMs(at.now)), boxDetail: "" };
      case "leadoff": {
        const on = this.samples.newestOn;
        const since = Number.isNaN(on) ? "" : ` since ${words.timeOfDay(on)}`;
        return { box: "LEAD OFF", boxDetail: `No ECG${since}. Replace electrodes.` };
      }
      case "nodata":
        if (Number.isNaN(last)) {
          const waited = at.now - (this.firstSeen ?? at.now);
          return { box: `NO DATA ${words.stopwatch(waited)}`, boxDetail: "No sample yet. Check the patch and the patient." };
        }
        return {
          box: `NO DATA ${words.stopwatch(at.now - last)}`,
          boxDetail: `Last sample ${words.timeOfDay(last)}. Check the patch and the patient.`,
        };
      default:
        return { box: "", boxDetail: "" };
    }
  }

  /** Bed B03, HIGH, VT 186 > 100, for 18 seconds. */
  private name(state: TileState, worst: Open | undefined, at: Moment): string {
    const parts = [`Bed ${this.who().bed}`];
    const why = (worst && quietOf(worst)) ?? this.standby ?? this.pause;
    if (worst) parts.push(worst.level, aloud(worst.text), `for ${words.spoken(at.now - worst.onset)}`);
    if (worst?.latched) parts.push("latched");
    if (why) parts.push(who(why));
    if (state === "standby") return parts.join(", ");
    if (state === "leadoff") parts.push("lead off");
    else if (state !== "live") parts.push(state === "nodata" ? "no data" : state === "delayed" ? "delayed" : "not live");
    else if (!worst && this.second?.rate !== undefined) parts.push(`heart rate ${words.whole(this.second.rate)}`);
    return parts.join(", ");
  }
}

/** aloud says a comparison in words. */
export function aloud(text: string): string {
  return text.replace(" > ", " above ").replace(" < ", " below ").replace(" ≥ ", " at least ");
}

/** ended says of a latched alarm when its condition was over. */
function ended(alarm: Open): string {
  if (alarm.ended === 0) return "latched";
  return `latched, ended ${words.timeOfDay(alarm.ended)} after ${words.stopwatch(alarm.ended - alarm.onset)}`;
}
