import assert from "node:assert/strict";
import { test } from "node:test";
import { compare, level, type Open } from "../src/alarms";
import { Announcer } from "../src/announce";
import { ServerClock } from "../src/clock";
import { bright, HIGH_HZ, MEDIUM_HZ } from "../src/flash";
import { layout } from "../src/layout";
import { BURSTS, HARMONICS, tune, type Tune } from "../src/schedule";
import { fitting } from "../src/view/rail";
import * as words from "../src/words";

test("words by age", () => {
  assert.deepEqual([0, 1999, 2000, 2001, 9999, 10_000, 60_000].map(words.age), ["live", "live", "live", "delayed", "delayed", "nodata", "nodata"]);
  assert.equal(words.live(420), "live 0.4 s");
  assert.equal(words.delayed(4_700), "DELAYED 4 s");
  assert.equal(words.stopwatch(14_300), "0:14");
  assert.equal(words.stopwatch(6 * 60_000 + 10_000), "6:10");
  assert.equal(words.stopwatch(3_723_000), "1:02:03");
  assert.equal(words.since(18_900), "18 s");
  assert.equal(words.since(66_000), "1:06");
  assert.equal(words.gap(1_400), "gap 1.4 s");
  assert.equal(words.whole(-3.2), "−3");
  assert.equal(words.spoken(66_000), "1 minute 6 seconds");
  const at = new Date(2026, 10, 21, 14, 31, 53).getTime();
  assert.deepEqual(words.notConnected(14_000, at, 1_400), ["NOT CONNECTED 0:14", "Nothing on this page is live. Last data 14:31:53. Retrying in 2 s."]);
  assert.deepEqual(words.monitoringStopped("4 West", at), ["MONITORING STOPPED: 4 West", "No decision since 14:31:53. Go to the patients."]);
});

function alarm(id: string, over: Partial<Open>): Open {
  return { id, patient: "p", version: 1, level: "MEDIUM", technical: false, latched: false, text: id, lead: "", rule: "", onset: 0, ended: 0, signal: "sounding", until: 0, by: "", responsible: "", ...over };
}

test("the rail's order", () => {
  const ordered = [
    alarm("newest HIGH", { level: "HIGH", onset: 9 }),
    alarm("HIGH", { level: "HIGH", onset: 5 }),
    alarm("technical HIGH", { level: "HIGH", technical: true, onset: 11 }),
    alarm("latched HIGH", { level: "HIGH", latched: true, onset: 12 }),
    alarm("acknowledged HIGH", { level: "HIGH", signal: "acknowledged", onset: 13 }),
    alarm("paused HIGH", { level: "HIGH", signal: "paused", onset: 14 }),
    alarm("latched HIGH, acknowledged", { level: "HIGH", latched: true, signal: "acknowledged", onset: 15 }),
    alarm("latched HIGH, paused", { level: "HIGH", latched: true, signal: "paused", onset: 10 }),
    alarm("MEDIUM", { onset: 1 }),
    alarm("technical MEDIUM", { technical: true, onset: 20 }),
    alarm("acknowledged MEDIUM", { signal: "acknowledged", onset: 40 }),
    alarm("LOW", { level: "LOW", onset: 30 }),
  ];
  for (let turn = 0; turn < ordered.length; turn++) {
    const shuffled = [...ordered.slice(turn), ...ordered.slice(0, turn)].reverse();
    assert.deepEqual(shuffled.sort(compare).map((a) => a.id), ordered.map((a) => a.id));
  }
});

test("an unknown priority is HIGH, and known to be unknown", () => {
  assert.deepEqual(level(3), { level: "HIGH", known: true });
  assert.deepEqual(level(2), { level: "MEDIUM", known: true });
  assert.deepEqual(level(1), { level: "LOW", known: true });
  for (const strange of [0, 4, 99]) assert.deepEqual(level(strange as 0), { level: "HIGH", known: false });
});

test("a rail too long keeps every HIGH and counts the rest", () => {
  const card = (id: string, of: "HIGH" | "MEDIUM" | "LOW") => ({ id, key: id, bed: "B", alias: "", level: of, technical: false, latched: false, text: "", detail: "", time: "", lastKnown: false, signal: "sounding" as const, own: false });
  const cards = [card("1", "HIGH"), ...["2", "3", "4"].map((id) => card(id, "MEDIUM")), card("5", "LOW"), card("6", "HIGH")];
  const { kept, left } = fitting(cards, 3);
  assert.deepEqual(kept.map((one) => one.id), ["1", "2", "6"]);
  assert.equal(left, "+2 MEDIUM, +1 LOW");
  assert.equal(fitting(cards.filter((one) => one.level === "HIGH"), 1).kept.length, 2);
});

test("flashes: their rates, half on, at most three changes to bright in any second", () => {
  const rises: number[] = [];
  const count = { HIGH: 0, MEDIUM: 0 };
  const on = { HIGH: 0, MEDIUM: 0 };
  const span = 20_000;
  for (let ms = 10; ms < span; ms += 10) {
    for (const [name, hz] of [["HIGH", HIGH_HZ], ["MEDIUM", MEDIUM_HZ]] as const) {
      if (bright(hz, ms)) on[name]++;
      if (bright(hz, ms) && !bright(hz, ms - 10)) {
        rises.push(ms);
        count[name]++;
      }
    }
  }
  assert.ok(Math.abs(count.HIGH / 20 - 2) <= 0.1 && Math.abs(count.MEDIUM / 20 - 0.6) <= 0.05);
  assert.ok(Math.abs(on.HIGH / (span / 10) - 0.5) < 0.01 && Math.abs(on.MEDIUM / (span / 10) - 0.5) < 0.02);
  for (const rise of rises) assert.ok(rises.filter((other) => other >= rise && other < rise + 1000).length <= 3);
});

test("sounds: pulses, lengths, spaces and rests", () => {
  const spaces = (tune: Tune) => {
    const { pulses } = BURSTS[tune];
    return pulses.slice(1).map((pulse, i) => Math.round((pulse.at - pulses[i]!.at - pulses[i]!.length) * 1000));
  };
  assert.deepEqual(spaces("HIGH"), [100, 100, 320, 100, 600, 100, 100, 320, 100]);
  assert.deepEqual(spaces("MEDIUM"), [200, 200]);
  assert.deepEqual(spaces("LOST"), [100]);
  assert.deepEqual([BURSTS.HIGH, BURSTS.MEDIUM, BURSTS.LOW, BURSTS.LOST].map((b) => [b.pulses.length, b.pulses[0]!.length, b.rest]), [
    [10, 0.12, 5],
    [3, 0.2, 15],
    [1, 0.2, Infinity],
    [2, 0.3, 10],
  ]);
  assert.deepEqual(BURSTS.LOST.pulses.map((pulse) => pulse.pitch), [494, 330]);
  assert.ok(BURSTS.HIGH.pulses.every((pulse) => pulse.pitch === 660));
  assert.equal(HARMONICS.length, 5);
  for (const harmonic of HARMONICS) assert.ok(20 * Math.log10(1 / harmonic) <= 15);
});

test("one voice: the worst; a page that sounds goes on when its link breaks", () => {
  assert.equal(tune("HIGH", true), "HIGH");
  assert.equal(tune("MEDIUM", true), "MEDIUM");
  assert.equal(tune("LOW", true), "LOST");
  assert.equal(tune("LOW", false), "LOW");
  assert.equal(tune(null, true), "LOST");
  assert.equal(tune(null, false), null);
});

test("layouts on 1920 × 1080", () => {
  const seen = [4, 8, 16, 24, 32, 64].map((beds) => layout(beds, 1920, 1080)).map((l) => [l.columns, l.rows, l.tileWidth, l.tileHeight, l.scale.speed, l.leads, l.vitals]);
  assert.deepEqual(seen, [
    [1, 4, 1544, 248, 25, 2, true],
    [2, 4, 768, 248, 25, 2, true],
    [2, 8, 768, 121, 25, 1, true],
    [3, 8, 509, 121, 25, 1, false],
    [4, 8, 380, 121, 12.5, 1, false],
    [4, 16, 380, 57, 12.5, 1, false],
  ]);
  assert.equal(layout(16, 1920, 1080).stripWidth, 522);
});

test("every strip shows 4 s, and every tile fits its window", () => {
  for (const [width, height] of [[1280, 720], [1366, 768], [1440, 900], [1920, 1080], [2560, 1440], [3840, 2160]] as const) {
    for (const beds of [1, 5, 9, 17, 25, 33, 64]) {
      const l = layout(beds, width, height);
      assert.ok(l.columns * (l.tileWidth + 8) + l.railWidth + 16 <= width, `${beds} on ${width}: too wide`);
      assert.ok(52 + 8 + l.rows * (l.tileHeight + 6) <= height + 2, `${beds} on ${height}: too high`);
      assert.ok((l.stripWidth * 25.4) / 96 / l.scale.speed >= 3.8 || (height < 1000 && beds > 32), `${beds} on ${width}: ${l.stripWidth} px at ${l.scale.speed}`);
    }
  }
});

test("a slow message does not set the clock back", () => {
  const clock = new ServerClock();
  assert.equal(clock.known, false);
  clock.observe(1_000_000, 500);
  clock.observe(1_001_000, 1_500 + 3_000);
  assert.equal(clock.now(4_500), 1_004_000);
  for (let i = 0; i < 30; i++) clock.observe(900_000 + i * 1000, 5_000 + i * 1000);
  assert.equal(clock.now(34_000), 929_000);
});

test("readers hear a new HIGH at once, and all else at most once in 5 s", () => {
  const loud: string[] = [];
  const quiet: string[] = [];
  const announcer = new Announcer((text) => loud.push(text), (text) => quiet.push(text));
  const say = (text: string, assertive = false) => [{ text, assertive }];
  announcer.update(say("a"), 0);
  announcer.update(say("b"), 1000);
  announcer.update(say("H", true), 1200);
  announcer.update(say("c"), 2000);
  announcer.update([], 4900);
  announcer.update([], 5000);
  announcer.update([], 20_000);
  assert.deepEqual(loud, ["H"]);
  assert.deepEqual(quiet, ["a", "b. c"]);
});
