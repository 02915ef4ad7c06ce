// The ward as the page knows it: folds what the gateway says, and tells what to show.

import { compare, level, open as openAlarm, quietOf, type Open } from "./alarms";
import { ServerClock } from "./clock";
import { AlarmCondition, type Alarm } from "./gen/alarms_pb";
import type { Bed, ServerMessage, Snapshot } from "./gen/protocol_pb";
import { MOST } from "./layout";
import type { LinkState } from "./link";
import type { Card, Ended, Spoken, Tile, Ward as View } from "./messages";
import { aloud, Patient, type Moment } from "./patient";
import * as quiet from "./quiet";
import { playout } from "./sweep";
import * as words from "./words";

/** Ended alarms are listed for an hour, ms. */
const ENDED_MS = 3_600_000;

/** A frame length stays in the playout for this long after it was last used, ms: the cursor must not jump about. */
const FRAME_MS = 10_000;

interface Over extends Ended {
  readonly ended: number;
}

/** Ward is the state of one page. */
export class Ward {
  readonly patients = new Map<string, Patient>();
  readonly clock = new ServerClock();
  /** Alarms of a priority that this page does not know, shown as HIGH. */
  unknownPriorities = 0;
  private site = "";
  private decision = 0;
  private decisionFrom: number | null = null;
  private problem = "";
  private dropped = 0;
  private droppedAt = -Infinity;
  private ended: Over[] = [];
  private since: number | null = null;
  private spoken: Spoken[] = [];
  private newestLow = "";
  private longest = 0;
  private longestAt = -Infinity;

  /** page counts from 1: each shows up to 64 beds. */
  constructor(private readonly page: number) {}

  /** receive folds one message that arrived at local (ms of the page's clock). It says whether an alarm changed. */
  receive(message: ServerMessage, local: number): boolean {
    switch (message.kind.case) {
      case "hello":
        this.site = message.kind.value.site;
        this.hear(message.kind.value.serverTimeUs, local);
        this.decision = 0;
        this.decisionFrom = local;
        this.problem = "";
        for (const patient of this.patients.values()) patient.restated = false;
        return false;
      case "heartbeat":
        this.hear(message.kind.value.serverTimeUs, local);
        this.decision = Number(message.kind.value.decisionUs) / 1000;
        return false;
      case "snapshot":
        this.snapshot(message.kind.value, local);
        return true;
      case "frame": {
        const { patient, kind } = message.kind.value;
        const known = this.patients.get(patient);
        if (known && kind.case === "samples") this.frame(known, kind.value, local);
        return false;
      }
      case "annotation":
        this.patients.get(message.kind.value.patient)?.annotation(message.kind.value);
        return false;
      case "chart":
        this.patients.get(message.kind.value.patient)?.chart(message.kind.value, this.clock.now(local), local);
        return false;
      case "alarm":
        return this.alarm(message.kind.value, local);
      case "bed":
        this.bed(message.kind.value);
        return true;
      case "dropped": {
        const { frames, annotations, charts } = message.kind.value;
        this.dropped += frames + annotations + charts;
        this.droppedAt = local;
        return false;
      }
      case "problem":
        this.problem = message.kind.value.text || message.kind.value.code;
        return false;
      default:
        return false;
    }
  }

  private hear(serverUs: bigint, local: number): void {
    this.clock.observe(Number(serverUs) / 1000, local);
    this.since ??= Number(serverUs) / 1000;
  }

  private patient(key: string): Patient {
    let patient = this.patients.get(key);
    if (!patient) this.patients.set(key, (patient = new Patient(key)));
    return patient;
  }

  private snapshot(snapshot: Snapshot, local: number): void {
    if (!snapshot.bed) return;
    const patient = this.patient(snapshot.bed.patient);
    const before = new Map(patient.alarms);
    patient.clear();
    this.bed(snapshot.bed);
    if (snapshot.limits) patient.setLimits(snapshot.limits);
    if (snapshot.second) patient.chart(snapshot.second, this.clock.now(local), local);
    for (const frame of snapshot.frames) {
      if (frame.kind.case === "samples") this.frame(patient, frame.kind.value, local);
    }
    for (const annotation of snapshot.annotations) patient.annotation(annotation);
    for (const alarm of snapshot.alarms) this.alarm(alarm, local, before);
    if (snapshot.silence) this.alarm(snapshot.silence, local);
  }

  private frame(patient: Patient, samples: Parameters<Patient["samples"]["add"]>[0], local: number): void {
    patient.samples.add(samples, patient.analysed);
    const { frameMs } = patient.samples;
    if (frameMs >= this.longest || local - this.longestAt > FRAME_MS) this.longest = frameMs;
    if (frameMs >= this.longest) this.longestAt = local;
  }

  private bed(bed: Bed): void {
    if (bed.discharged) this.patients.delete(bed.patient);
    else this.patient(bed.patient).bed = bed;
  }

  /**
   * An older version of an alarm changes nothing, and one that ended does not
   * come back. known are the alarms of which the page has told already; a
   * snapshot forgets what it held before.
   */
  private alarm(message: Alarm, local: number, known?: ReadonlyMap<string, Open>): boolean {
    const patient = this.patient(message.patient);
    if (message.kind.case === "silence") {
      patient.silence(message.kind.value, Number(message.timeUs) / 1000);
      return true;
    }
    if (message.kind.case !== "state") return false;
    const state = message.kind.value;
    const held = patient.alarms.get(state.id);
    if (held && state.version < held.version) return false;
    const before = (known ?? patient.alarms).get(state.id);
    if (!level(state.priority).known) this.unknownPriorities++;
    const alarm = openAlarm(message.patient, state);
    if (state.condition === AlarmCondition.ENDED) {
      patient.alarms.delete(state.id);
      if (before) this.over(patient, alarm, local);
      return true;
    }
    patient.alarms.set(state.id, alarm);
    if (!before) this.say(patient, alarm);
    else if (before.signal !== alarm.signal) this.sayQuiet(patient, alarm);
    if (alarm.level === "LOW" && alarm.signal === "sounding" && before?.signal !== "sounding") {
      this.newestLow = `${alarm.id} ${alarm.version}`;
    }
    return true;
  }

  private over(patient: Patient, alarm: Open, local: number): void {
    const now = this.clock.now(local);
    const lasted = (alarm.ended || now) - alarm.onset;
    const text = `${alarm.text}, ${words.stopwatch(lasted)}`;
    this.ended.unshift({ id: alarm.id, at: words.hourMinute(alarm.ended || now), bed: patient.who().bed, text, ended: now });
    this.ended.length = Math.min(this.ended.length, 50);
    this.spoken.push({ assertive: false, text: `Bed ${patient.who().bed}, ended, ${aloud(alarm.text)}` });
  }

  private say(patient: Patient, alarm: Open): void {
    const text = `Bed ${patient.who().bed}, ${alarm.level}, ${aloud(alarm.text)}`;
    this.spoken.push({ assertive: alarm.level === "HIGH" && alarm.signal === "sounding", text });
  }

  private sayQuiet(patient: Patient, alarm: Open): void {
    const why = quietOf(alarm);
    const how = why ? quiet.who(why) : "Sounds again";
    this.spoken.push({ assertive: false, text: `Bed ${patient.who().bed}, ${how}: ${aloud(alarm.text)}` });
  }

  /** How far the cursor stays behind the server's time, ms. */
  playout(): number {
    return playout(this.longest);
  }

  /** moment is now, for views. */
  moment(local: number, link: LinkState): Moment {
    const silent = local - link.heard;
    return {
      now: this.clock.known ? this.clock.now(local) : Date.now(),
      local,
      lost: silent > words.NOT_LIVE_MS ? `NOT CONNECTED ${words.stopwatch(silent)}` : "",
    };
  }

  /** order is the patients in the order of their places: by unit and bed, a patch bound to nobody last. */
  private order(): { shown: Patient[]; beyond: number } {
    const all = [...this.patients.values()].filter((patient) => patient.bed !== null).sort(byPlace);
    const from = (this.page - 1) * MOST;
    const shown = all.slice(from, from + MOST);
    return { shown, beyond: all.length - shown.length };
  }

  /** take returns what there is to say to readers, once. */
  take(): Spoken[] {
    const spoken = this.spoken;
    this.spoken = [];
    return spoken;
  }

  /** view is the whole page now. */
  view(at: Moment, link: LinkState): { ward: View; tiles: Tile[] } {
    const { shown, beyond } = this.order();
    const tiles = shown.map((patient) => patient.view(at));
    // The rail holds every bed's alarms, those of other pages too.
    const open = [...this.patients.values()].flatMap((patient) => [...patient.alarms.values()]).sort(compare);
    this.ended = this.ended.filter((alarm) => at.now - alarm.ended < ENDED_MS);
    const silent = at.local - link.heard;
    const undecided = this.undecided(at);
    return {
      tiles,
      ward: {
        at: this.clock.known ? at.now : null,
        site: this.site,
        unit: this.unit(shown),
        connected: link.open && silent <= words.BANNER_MS,
        banners: this.banners(at, link, undecided),
        decision: this.decision > 0 ? `Last decision ${words.timeOfDay(this.decision)}` : "No decision yet",
        counts: counts(tiles),
        cards: open.map((alarm) => this.card(alarm, at)),
        ended: this.ended.map(({ id, at, bed, text }) => ({ id, at, bed, text })),
        endedSince: this.since === null || at.now - this.since >= ENDED_MS ? "" : words.hourMinute(this.since),
        order: shown.map((patient) => patient.key),
        beyond,
        worst: open.find((alarm) => alarm.signal === "sounding")?.level ?? null,
        newestLow: this.newestLow,
        lost: silent > words.NOT_LIVE_MS || undecided,
        loss: this.loss(at.local, link),
      },
    };
  }

  private undecided(at: Moment): boolean {
    if (this.decisionFrom === null || this.patients.size === 0) return false;
    const age = this.decision > 0 ? at.now - this.decision : at.local - this.decisionFrom;
    return age > words.DECISION_MS;
  }

  private banners(at: Moment, link: LinkState, undecided: boolean): [string, string][] {
    const banners: [string, string][] = [];
    const silent = at.local - link.heard;
    if (silent > words.BANNER_MS) {
      const last = Math.max(...[...this.patients.values()].map((patient) => patient.samples.newest || 0), 0);
      const retry = link.retry === null ? null : link.retry - at.local;
      banners.push(words.notConnected(silent, last || null, retry));
    } else if (undecided) {
      banners.push(words.monitoringStopped(this.unit(this.order().shown), this.decision || null));
    }
    if (this.problem) banners.push(["REFUSED", this.problem]);
    return banners;
  }

  private unit(shown: readonly Patient[]): string {
    const units = new Set(shown.filter((patient) => !patient.bed?.unassigned).map((patient) => patient.bed?.unit ?? ""));
    return units.size === 1 ? [...units][0]! : "";
  }

  private card(alarm: Open, at: Moment): Card {
    const patient = this.patients.get(alarm.patient)!;
    const why = quietOf(alarm);
    const left = why && quiet.left(why, at.now);
    const parts: string[] = [];
    if (!why) parts.push(`Onset ${words.timeOfDay(alarm.onset)}`);
    if (alarm.latched) parts.push(`Latched, ended ${words.timeOfDay(alarm.ended)}`);
    if (why) parts.push(`${quiet.who(why)}${why.until > 0 ? ` until ${words.timeOfDay(why.until)}` : ""}${left?.own ? ", no word since" : ""}`);
    if (alarm.responsible) parts.push(alarm.responsible);
    return {
      id: alarm.id,
      key: alarm.patient,
      ...patient.who(),
      level: alarm.level,
      technical: alarm.technical,
      latched: alarm.latched,
      signal: alarm.signal,
      text: alarm.text,
      detail: `${parts.join(". ")}.`,
      time: left?.text ?? words.since(at.now - alarm.onset),
      own: left?.own ?? false,
      lastKnown: at.lost !== "" || !patient.restated,
    };
  }

  private loss(local: number, link: LinkState): string {
    const parts: string[] = [];
    if (local - this.droppedAt < 60_000) parts.push(`${this.dropped} messages skipped, this page is too slow`);
    if (this.unknownPriorities > 0) parts.push(`${this.unknownPriorities} unknown priorities shown as HIGH`);
    if (link.unreadable > 0) parts.push(`${link.unreadable} messages could not be read`);
    return parts.join(" · ");
  }
}

const natural = new Intl.Collator("en", { numeric: true });

function byPlace(a: Patient, b: Patient): number {
  const one = a.bed!;
  const other = b.bed!;
  return (
    Number(one.unassigned) - Number(other.unassigned) ||
    natural.compare(one.unit, other.unit) ||
    natural.compare(one.bed, other.bed) ||
    natural.compare(one.device, other.device) ||
    natural.compare(a.key, b.key)
  );
}

function counts(tiles: readonly Tile[]): [number, string][] {
  const of = (state: Tile["state"]) => tiles.filter((tile) => tile.state === state).length;
  const unassigned = tiles.filter((tile) => tile.unassigned).length;
  const all: [number, string][] = [
    [tiles.length - unassigned, "beds"],
    [of("live"), "live"],
    [of("leadoff"), "lead off"],
    [of("delayed"), "delayed"],
    [of("nodata"), "no data"],
    [of("notlive"), "not live"],
    [tiles.filter((tile) => tile.standby).length, "on standby"],
    [unassigned, unassigned === 1 ? "device unassigned" : "devices unassigned"],
  ];
  return all.filter(([n, word]) => n > 0 || word === "live");
}
