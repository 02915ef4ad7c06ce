import { create } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { test } from "node:test";
import { AlarmCondition, AlarmSchema, AlarmSignal, AlarmStateSchema, Responsibility, SilenceSchema, type Alarm, type AlarmState, type Silence } from "../src/gen/alarms_pb";
import { Priority } from "../src/gen/limits_pb";
import { BedSchema, HelloSchema, ServerMessageSchema, SnapshotSchema, type ServerMessage } from "../src/gen/protocol_pb";
import { left, signal } from "../src/quiet";
import { levelClass } from "../src/view/tile";
import { Ward } from "../src/ward";
import { hourMinute, timeOfDay } from "../src/words";

const START = 1_795_000_000_000; // ms UTC, where the page's clock reads 0
const us = (ms: number) => BigInt(START + ms) * 1000n;
const { ACTIVE, LATCHED, ENDED } = AlarmCondition;
const { SOUNDING, ACKNOWLEDGED, PAUSED, UNSPECIFIED } = AlarmSignal;

type Fields = Partial<Omit<AlarmState, "$typeName" | "$unknown">>;

function state(id: string, over: Fields = {}): Alarm {
  const value = create(AlarmStateSchema, {
    id, version: 1, priority: Priority.MEDIUM, condition: ACTIVE, text: "HR 134 > 120", rule: "hr.high", onsetUs: us(0), signal: SOUNDING, ...over,
  });
  return create(AlarmSchema, { patient: "p", timeUs: us(0), kind: { case: "state", value } });
}

function silence(over: Partial<Omit<Silence, "$typeName" | "$unknown">>, at = 0): Alarm {
  return create(AlarmSchema, { patient: "p", timeUs: us(at), kind: { case: "silence", value: create(SilenceSchema, { on: true, person: "R. Okafor", ...over }) } });
}

const say = (kind: ServerMessage["kind"]) => create(ServerMessageSchema, { kind });

class Rig {
  readonly ward = new Ward(1);

  constructor(alarms: Alarm[] = [], inForce?: Alarm) {
    this.snapshot(alarms, inForce);
  }

  snapshot(alarms: Alarm[], inForce?: Alarm): void {
    this.ward.receive(say({ case: "hello", value: create(HelloSchema, { serverTimeUs: us(0) }) }), 0);
    const bed = create(BedSchema, { patient: "p", unit: "4 West", bed: "B05", alias: "Birch 11" });
    this.ward.receive(say({ case: "snapshot", value: create(SnapshotSchema, { bed, alarms, ...(inForce ? { silence: inForce } : {}) }) }), 0);
  }

  hear(alarm: Alarm, local = 0): void {
    assert.equal(this.ward.receive(say({ case: "alarm", value: alarm }), local), true);
  }

  at(local: number) {
    const link = { open: true, heard: local, retry: null, unreadable: 0 };
    const { ward, tiles } = this.ward.view(this.ward.moment(local, link), link);
    return { ward, tile: tiles[0]! };
  }
}

test("the record alone says whether an alarm sounds; what is not said or not known sounds", () => {
  assert.deepEqual([SOUNDING, UNSPECIFIED, 9 as AlarmSignal, ACKNOWLEDGED, PAUSED].map(signal), ["sounding", "sounding", "sounding", "acknowledged", "paused"]);
  const rig = new Rig();
  for (const [version, of, worst] of [[1, UNSPECIFIED, "MEDIUM"], [2, ACKNOWLEDGED, null], [3, SOUNDING, "MEDIUM"], [4, PAUSED, null], [5, SOUNDING, "MEDIUM"]] as const) {
    rig.hear(state("a", { version, signal: of, signalBy: "N. Sato" }));
    assert.equal(rig.at(100).ward.worst, worst, `version ${version}`);
  }
});

test("acknowledged: quiet, by whom, and when it sounds again", () => {
  const rig = new Rig([state("a", { version: 2, signal: ACKNOWLEDGED, signalBy: "N. Sato", signalUntilUs: us(300_000), responsibility: Responsibility.ACCEPTED, responsible: "N. Sato" })]);
  const { ward, tile } = rig.at(80_000);
  assert.deepEqual([tile.signal, tile.detail, tile.right, tile.short, tile.own, tile.cause], ["acknowledged", "Acknowledged by N. Sato", "again in 3:40", "3:40", false, true]);
  assert.equal(levelClass(tile), "medium quiet acknowledged steady");
  assert.equal(tile.name, "Bed B05, MEDIUM, HR 134 above 120, for 1 minute 20 seconds, Acknowledged by N. Sato, no data");
  assert.deepEqual([ward.worst, ward.cards[0]!.signal, ward.cards[0]!.time], [null, "acknowledged", "again in 3:40"]);
  assert.equal(ward.cards[0]!.detail, `Acknowledged by N. Sato until ${timeOfDay(START + 300_000)}. N. Sato accepted.`);
});

test("paused: quiet, by whom, and how long", () => {
  const { tile, ward } = new Rig([state("a", { signal: PAUSED, signalBy: "R. Okafor", signalUntilUs: us(120_000) })]).at(36_000);
  assert.deepEqual([tile.detail, tile.shortDetail, tile.right, levelClass(tile)], ["Paused by R. Okafor", "R. Okafor", "1:24 left", "medium quiet paused steady"]);
  assert.equal(ward.worst, null);
});

test("a time that is over makes nothing sound: the page says in its own words that no record came", () => {
  const rig = new Rig([state("a", { priority: Priority.HIGH, signal: PAUSED, signalBy: "R. Okafor", signalUntilUs: us(120_000) })]);
  const of = (local: number) => {
    const { ward, tile } = rig.at(local);
    return [tile.right, tile.own, ward.cards[0]!.own, ward.worst, tile.signal];
  };
  assert.deepEqual(of(121_900), ["0:00 left", false, false, null, "paused"]);
  assert.deepEqual(of(125_000), ["pause over 0:05", true, true, null, "paused"]);
  assert.deepEqual(of(900_000), ["pause over 13:00", true, true, null, "paused"]);
  assert.match(rig.at(125_000).ward.cards[0]!.detail, /Paused by R\. Okafor until .*, no word since/);
  rig.hear(state("a", { version: 2, priority: Priority.HIGH }), 126_000);
  assert.deepEqual(of(126_000), ["2:06", false, false, "HIGH", "sounding"]);
  assert.deepEqual(left({ is: "acknowledged", by: "", until: START }, START + 5_000), { text: "quiet over 0:05", short: "over 0:05", own: true });
  assert.equal(left({ is: "acknowledged", by: "", until: 0 }, START), null);
});

test("latched: says so, sounds until the record says otherwise, never flashes", () => {
  const latched = { priority: Priority.HIGH, condition: LATCHED, text: "VT 186 > 100", rule: "vt", endedUs: us(31_000) };
  const rig = new Rig([state("a", { ...latched, version: 2 })]);
  let { ward, tile } = rig.at(72_000);
  assert.equal(tile.detail, `latched, ended ${timeOfDay(START + 31_000)} after 0:31`);
  assert.deepEqual([ward.worst, levelClass(tile), tile.cause, tile.right], ["HIGH", "high latched steady", false, "1:12"]);
  rig.hear(state("a", { ...latched, version: 3, signal: ACKNOWLEDGED, signalBy: "N. Sato" }), 73_000);
  ({ ward, tile } = rig.at(74_000));
  assert.deepEqual([ward.worst, tile.detail, levelClass(tile)], [null, "Acknowledged by N. Sato, latched", "high latched quiet acknowledged steady"]);
  assert.equal(ward.cards[0]!.detail, `Latched, ended ${timeOfDay(START + 31_000)}. Acknowledged by N. Sato.`);
  rig.hear(state("a", { ...latched, version: 4, condition: ENDED }), 75_000);
  assert.equal(rig.at(75_000).ward.cards.length, 0);
});

test("a worse alarm that is quiet hides none that sounds", () => {
  const { ward, tile } = new Rig([state("h", { priority: Priority.HIGH, text: "VT 186 > 100", signal: ACKNOWLEDGED }), state("m")]).at(1_000);
  assert.deepEqual([tile.level, tile.more, tile.moreSounds, ward.worst], ["HIGH", 1, true, "MEDIUM"]);
  assert.deepEqual(ward.cards.map((card) => card.id), ["h", "m"]);
});

test("LOW is heard once, and not while it is quiet", () => {
  const low = { priority: Priority.LOW, text: "PVC 14 > 10 /min", rule: "pvc" };
  const rig = new Rig();
  rig.hear(state("a", low));
  const first = rig.at(0).ward.newestLow;
  assert.notEqual(first, "");
  rig.hear(state("b", { ...low, signal: PAUSED }));
  rig.hear(state("a", { ...low, version: 2, value: 20 }));
  assert.equal(rig.at(0).ward.newestLow, first);
  rig.snapshot([state("a", { ...low, version: 3 }), state("b", { ...low, signal: PAUSED })]);
  assert.equal(rig.at(0).ward.newestLow, first, "a new connection is no new alarm");
  rig.hear(state("b", { ...low, version: 2 }));
  assert.notEqual(rig.at(0).ward.newestLow, first);
});

test("a pause of all alarms is on the tile with who and how long, until a record ends it", () => {
  const rig = new Rig([], silence({ untilUs: us(120_000) }));
  let { tile } = rig.at(36_000);
  assert.deepEqual([tile.note, tile.right, tile.signal, levelClass(tile)], ["All alarms paused by R. Okafor", "1:24 left", "paused", "calm quiet paused steady"]);
  assert.deepEqual([rig.at(130_000).tile.right, rig.at(130_000).tile.own], ["pause over 0:10", true]);
  rig.hear(state("m", { signal: ACKNOWLEDGED, signalBy: "N. Sato", signalUntilUs: us(300_000) }));
  assert.equal(rig.at(37_000).tile.detail, "Acknowledged by N. Sato, all others paused by R. Okafor");
  rig.hear(state("h", { priority: Priority.HIGH, text: "VT 186 > 100" }), 40_000);
  rig.hear(silence({ on: false, ended: "broken" }, 40_000), 40_000);
  ({ tile } = rig.at(41_000));
  assert.deepEqual([tile.detail, rig.at(41_000).ward.worst], ["Pause ended: new HIGH", "HIGH"]);
  assert.equal(rig.at(101_000).tile.detail, "");
  rig.hear(silence({ untilUs: us(240_000) }, 120_000));
  rig.hear(silence({ on: false, ended: "resumed" }, 125_000));
  for (const id of ["m", "h"]) rig.hear(state(id, { version: 2, condition: ENDED }));
  assert.deepEqual([rig.at(126_000).tile.signal, rig.at(126_000).tile.right], ["sounding", ""]);
});

test("standby: who, since when and until when; over on the page's clock it is no standby", () => {
  const rig = new Rig([], silence({ standby: true, reason: "radiology", fromUs: us(0), untilUs: us(3_600_000) }));
  let { tile, ward } = rig.at(60_000);
  assert.deepEqual([tile.state, tile.right, tile.box, tile.boxDetail, tile.fresh, tile.rate], ["standby", "STANDBY, NO ALARMS", "STANDBY", `radiology, until ${hourMinute(START + 3_600_000)}`, "off", "– – –"]);
  assert.equal(tile.note, `Standby since ${hourMinute(START)}, by R. Okafor`);
  assert.equal(tile.name, "Bed B05, Standby by R. Okafor");
  assert.ok(ward.counts.some(([n, word]) => n === 1 && word === "on standby"));
  rig.hear(silence({ on: false, ended: "standby" })); // the pause that it ended
  assert.equal(rig.at(60_000).tile.state, "standby");
  ({ tile } = rig.at(3_605_000));
  assert.deepEqual([tile.state, tile.right, tile.own], ["nodata", "standby over 0:05", true]);
  rig.hear(silence({ standby: true, on: false, ended: "over" }));
  assert.deepEqual([rig.at(60_000).tile.state, rig.at(60_000).tile.note], ["nodata", ""]);
});

test("a snapshot without a silence ends the one that was known", () => {
  const rig = new Rig([], silence({ untilUs: us(120_000) }));
  rig.snapshot([]);
  assert.equal(rig.at(1_000).tile.signal, "sounding");
});

test("readers hear that an alarm was quieted, politely, and a HIGH that is quiet as the page opens too", () => {
  const rig = new Rig([state("q", { priority: Priority.HIGH, signal: PAUSED })]);
  rig.hear(state("a"));
  rig.hear(state("a", { version: 2, signal: ACKNOWLEDGED, signalBy: "N. Sato" }));
  rig.hear(state("a", { version: 3 }));
  assert.deepEqual(rig.ward.take(), [
    { assertive: false, text: "Bed B05, HIGH, HR 134 above 120" },
    { assertive: false, text: "Bed B05, MEDIUM, HR 134 above 120" },
    { assertive: false, text: "Bed B05, Acknowledged by N. Sato: HR 134 above 120" },
    { assertive: false, text: "Bed B05, Sounds again: HR 134 above 120" },
  ]);
});
