import { create } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { test } from "node:test";
import { AlarmCondition, AlarmSchema, AlarmStateSchema } from "../src/gen/alarms_pb";
import { AnnotationSchema, BeatClass, BeatSchema } from "../src/gen/annotations_pb";
import { ChartSchema, SecondSchema } from "../src/gen/chart_pb";
import { FrameSchema, SamplesSchema, type Samples as Message } from "../src/gen/frames_pb";
import { Priority } from "../src/gen/limits_pb";
import { LeadSchema } from "../src/gen/patch_pb";
import { BedSchema, HeartbeatSchema, HelloSchema, ServerMessageSchema, SnapshotSchema, type ServerMessage } from "../src/gen/protocol_pb";
import { Samples } from "../src/samples";
import { Ward } from "../src/ward";

const START = 1_795_000_000_000; // ms UTC
const RATE = 250;

interface Some {
  first: number;
  count?: number;
  boot?: number;
  device?: string;
  arrival?: number;
  off?: boolean;
  missing?: Uint8Array;
  value?: number;
}

function run({ first, count = 50, boot = 1, device = "d", arrival, off = false, missing, value = 100 }: Some): Message {
  const time = START + (first / RATE) * 1000;
  return create(SamplesSchema, {
    device,
    boot: BigInt(boot),
    first: BigInt(first),
    rate: RATE,
    count,
    timeUs: BigInt(Math.round(time * 1000)),
    arrivalUs: BigInt(Math.round((arrival ?? time + (count / RATE) * 1000) * 1000)),
    leads: ["II", "V1"].map((name) =>
      create(LeadSchema, { name, microvoltsPerCount: 5, off, deltas: [value, ...Array.from({ length: count - 1 }, () => 0)] }),
    ),
    missing: missing ?? new Uint8Array(),
  });
}

test("runs join by device, boot and sample, and repeats change nothing", () => {
  const samples = new Samples();
  assert.equal(samples.add(run({ first: 0 }), ""), true);
  assert.equal(samples.add(run({ first: 50 }), ""), true);
  assert.equal(samples.add(run({ first: 50 }), ""), false);
  assert.equal(samples.add(run({ first: 0 }), ""), false);
  assert.equal(samples.runs[1]!.joined, true);
  assert.deepEqual(samples.gaps, []);
  assert.equal(samples.newest, START + 99 * 4);
  assert.equal(samples.add(run({ first: 75, count: 50 }), ""), true); // 25 of them are new
  assert.equal(samples.runs[2]!.first, 100);
  assert.equal(samples.runs[2]!.count, 25);
  assert.equal(samples.runs[2]!.joined, true);
});

test("a hole is a gap of its true length", () => {
  const samples = new Samples();
  samples.add(run({ first: 0 }), "");
  samples.add(run({ first: 50 + 350 }), "");
  assert.deepEqual(samples.gaps, [{ from: START + 200, to: START + 1600, off: false }]);
  assert.equal(samples.runs[1]!.joined, false);
  assert.equal(samples.add(run({ first: 100 }), ""), false, "what has been swept stays");
});

test("missing samples are a gap, also across runs", () => {
  const samples = new Samples();
  const tail = new Uint8Array(7);
  for (let i = 40; i < 50; i++) tail[i >> 3]! |= 1 << (i & 7);
  const head = new Uint8Array(7);
  for (let i = 0; i < 5; i++) head[i >> 3]! |= 1 << (i & 7);
  samples.add(run({ first: 0, missing: tail }), "");
  samples.add(run({ first: 50, missing: head }), "");
  assert.deepEqual(samples.gaps, [{ from: START + 160, to: START + 220, off: false }]);
  assert.ok(Number.isNaN(samples.runs[0]!.leads[0]!.values[40]!));
  assert.ok(!Number.isNaN(samples.runs[0]!.leads[0]!.values[39]!));
});

test("late data, older boots and rates of nothing are not drawn", () => {
  const samples = new Samples();
  assert.equal(samples.add(run({ first: 0, arrival: START + 30_000 }), ""), false);
  assert.equal(samples.add(run({ first: 0, boot: 2 }), ""), true);
  assert.equal(samples.add(run({ first: 500, boot: 1 }), ""), false);
  for (const rate of [0, -1, NaN, Infinity]) {
    const strange = run({ first: 900, boot: 2 });
    strange.rate = rate;
    assert.equal(samples.add(strange, ""), false, `rate ${rate}`);
  }
});

test("a lead that goes off gives way to one that is on", () => {
  const samples = new Samples();
  samples.add(run({ first: 0 }), "V1");
  assert.deepEqual(samples.shown, ["V1", "II"]);
  const half = run({ first: 50 });
  half.leads[1]!.off = true;
  samples.add(half, "V1");
  assert.deepEqual(samples.shown, ["II"]);
  assert.equal(samples.allOff, false);
  samples.add(run({ first: 100, off: true }), "");
  assert.equal(samples.allOff, true);
  assert.equal(samples.gaps[0]!.off, true);
  assert.equal(samples.newestOn, START + 99 * 4);
});

const LINK = { open: true, heard: 0, retry: null, unreadable: 0 };

function say(kind: ServerMessage["kind"]): ServerMessage {
  return create(ServerMessageSchema, { kind });
}

/** A ward of one bed whose newest sample is at START + 996 ms and whose clock reads START at 0. */
function ward(): Ward {
  const ward = new Ward(1);
  ward.receive(say({ case: "hello", value: create(HelloSchema, { site: "S", serverTimeUs: BigInt(START * 1000) }) }), 0);
  const frames = [0, 50, 100, 150, 200].map((first) => create(FrameSchema, { patient: "p", kind: { case: "samples", value: run({ first }) } }));
  const second = create(ChartSchema, { patient: "p", timeUs: BigInt(START * 1000), kind: { case: "second", value: create(SecondSchema, { rate: 71.6, quality: 0.9 }) } });
  const bed = create(BedSchema, { patient: "p", unit: "4 West", bed: "B01", alias: "Heron 27" });
  ward.receive(say({ case: "snapshot", value: create(SnapshotSchema, { bed, frames, second }) }), 0);
  return ward;
}

function tile(ward: Ward, local: number, heard = local) {
  const link = { ...LINK, heard };
  return ward.view(ward.moment(local, link), link).tiles[0]!;
}

test("a tile says live, DELAYED, NO DATA and NOT LIVE when it must", () => {
  const w = ward();
  const live = tile(w, 1_300);
  assert.deepEqual([live.state, live.rate, live.fresh, live.grey], ["live", "72", "live 0.3 s", false]);
  const late = tile(w, 5_000);
  assert.deepEqual([late.state, late.rate, late.fresh, late.box, late.grey], ["delayed", "72", "DELAYED 4 s", "DELAYED 4 s", true]);
  assert.match(late.right, /^Values as of /);
  const gone = tile(w, 15_000);
  assert.deepEqual([gone.state, gone.rate, gone.spo2, gone.fresh, gone.battery], ["nodata", "– – –", "–", "NO DATA", -1]);
  assert.equal(gone.box, "NO DATA 0:14");
  const cut = tile(w, 5_100, 0);
  assert.deepEqual([cut.state, cut.rate, cut.box, cut.note], ["notlive", "– – –", "NOT LIVE", "NOT CONNECTED 0:05"]);
});

test("numbers whose stage is silent do not stay, though samples come", () => {
  const w = ward();
  for (let first = 250; first < 3_500; first += 50) {
    w.receive(say({ case: "frame", value: create(FrameSchema, { patient: "p", kind: { case: "samples", value: run({ first }) } }) }), (first / RATE) * 1000);
  }
  assert.deepEqual([tile(w, 5_500).state, tile(w, 5_500).grey, tile(w, 5_500).rate], ["live", true, "72"]);
  assert.equal(tile(w, 13_000).rate, "– – –");
});

test("a new connection leaves nothing live that it has not restated", () => {
  const w = ward();
  w.receive(say({ case: "hello", value: create(HelloSchema, { serverTimeUs: BigInt((START + 1000) * 1000) }) }), 1_000);
  assert.equal(tile(w, 1_200).state, "notlive");
});

function alarm(id: string, version: number, priority: Priority, condition: AlarmCondition, text = "HR 134 > 120"): ServerMessage {
  const state = create(AlarmStateSchema, { id, version, priority, condition, text, rule: "hr.high", onsetUs: BigInt(START * 1000) });
  return say({ case: "alarm", value: create(AlarmSchema, { patient: "p", kind: { case: "state", value: state } }) });
}

test("alarms: the worst on the tile, all in the rail, ended ones listed, old versions ignored", () => {
  const w = ward();
  const { ACTIVE, ENDED } = AlarmCondition;
  assert.equal(w.receive(alarm("a", 2, Priority.MEDIUM, ACTIVE), 100), true);
  assert.equal(w.receive(alarm("a", 1, Priority.LOW, ACTIVE), 100), false);
  w.receive(alarm("b", 1, Priority.HIGH, ACTIVE, "VT 186 > 100"), 100);
  const link = { ...LINK, heard: 1_000 };
  let view = w.view(w.moment(1_000, link), link);
  assert.deepEqual([view.tiles[0]!.level, view.tiles[0]!.alarm, view.tiles[0]!.more, view.tiles[0]!.cause], ["HIGH", "VT 186 > 100", 1, true]);
  assert.equal(view.tiles[0]!.name, "Bed B01, HIGH, VT 186 above 100, for 1 second");
  assert.deepEqual(view.ward.cards.map((card) => card.text), ["VT 186 > 100", "HR 134 > 120"]);
  assert.equal(view.ward.worst, "HIGH");
  assert.deepEqual(w.take().map((one) => one.assertive), [false, true]);
  w.receive(alarm("b", 2, Priority.HIGH, ENDED, "VT 186 > 100"), 1_000);
  view = w.view(w.moment(1_000, link), link);
  assert.deepEqual(view.ward.cards.map((card) => card.text), ["HR 134 > 120"]);
  assert.equal(view.ward.ended[0]!.text, "VT 186 > 100, 0:01");
  w.receive(alarm("c", 1, 7 as Priority, ACTIVE, "NEW 3 > 2"), 1_000);
  view = w.view(w.moment(1_000, link), link);
  assert.equal(view.ward.worst, "HIGH");
  assert.match(view.ward.loss, /1 unknown priorities shown as HIGH/);
});

test("nobody decides: the page says so by its own timer", () => {
  const w = ward();
  const link = (heard: number) => ({ ...LINK, heard });
  const beat = (local: number, decision: number) =>
    w.receive(say({ case: "heartbeat", value: create(HeartbeatSchema, { serverTimeUs: BigInt((START + local) * 1000), decisionUs: BigInt(decision * 1000) }) }), local);
  beat(1_000, START + 900);
  assert.deepEqual(w.view(w.moment(14_000, link(14_000)), link(14_000)).ward.banners, []);
  const { ward: view } = w.view(w.moment(16_500, link(16_500)), link(16_500));
  assert.equal(view.banners[0]![0], "MONITORING STOPPED: 4 West");
  assert.equal(view.lost, true);
});

test("letters of beats: V, F and Q, but no Q where pulses are marked", () => {
  const w = ward();
  const beat = (of: BeatClass, late = false) =>
    w.receive(say({ case: "annotation", value: create(AnnotationSchema, { patient: "p", timeUs: BigInt(START * 1000), late, kind: { case: "beat", value: create(BeatSchema, { class: of }) } }) }), 0);
  for (const of of [BeatClass.N, BeatClass.S, BeatClass.V, BeatClass.F, BeatClass.Q]) beat(of);
  beat(BeatClass.V, true);
  assert.deepEqual(w.patients.get("p")!.letters.map((one) => one.letter), ["V", "F", "Q"]);
  w.receive(say({ case: "bed", value: create(BedSchema, { patient: "p", bed: "B01", paced: true }) }), 0);
  beat(BeatClass.Q);
  assert.equal(w.patients.get("p")!.letters.length, 3);
});

test("beds stand in their natural order, a patch bound to nobody last, 64 to a page", () => {
  const w = new Ward(1);
  const names = Array.from({ length: 70 }, (_, i) => `B${i + 1}`);
  for (const name of [...names].reverse()) w.receive(say({ case: "bed", value: create(BedSchema, { patient: name, bed: name, unit: "U" }) }), 0);
  w.receive(say({ case: "bed", value: create(BedSchema, { patient: "x", unassigned: true, device: "3F2A" }) }), 0);
  const view = w.view(w.moment(0, LINK), LINK).ward;
  assert.deepEqual(view.order, names.slice(0, 64));
  assert.equal(view.beyond, 7);
});
