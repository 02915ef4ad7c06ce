import assert from "node:assert/strict";
import { test } from "node:test";
import { Baseline } from "../src/baseline";
import { PX_PER_MM, Sweep, playout, pxPerMillivolt, pxPerMs, TRACE_LEFT } from "../src/sweep";
import { baselineShare, draw, type Placing } from "../src/trace";

const RATIOS = [1, 1.5, 2, 3];
const SPEEDS = [12.5, 25, 50];

/** A pen that remembers. */
class Points {
  readonly points: { x: number; y: number; move: boolean }[] = [];
  moveTo(x: number, y: number) {
    this.points.push({ x, y, move: true });
  }
  lineTo(x: number, y: number) {
    this.points.push({ x, y, move: false });
  }
}

function placing(rate: number, speed: number, ratio: number, x0 = 14): Placing {
  const scale = { speed, gain: 10 };
  return { x0, dx: (1000 / rate) * pxPerMs(scale), baseline: 61, perMillivolt: pxPerMillivolt(scale), top: -500, bottom: 500, ratio };
}

test("a gap of 1.4 s at 25 mm/s is 132 px, and no line crosses it", () => {
  for (const ratio of RATIOS) {
    for (const rate of [62.5, 125, 244.14, 250, 500, 1000]) {
      const values = new Float32Array(Math.round(4 * rate));
      const gone = Math.round(1.4 * rate);
      values.fill(NaN, Math.round(rate), Math.round(rate) + gone);
      const pen = new Points();
      draw(pen, values, 0, values.length, placing(rate, 25, ratio), false);
      const again = pen.points.findIndex((point, i) => i > 0 && point.move);
      const left = pen.points[again - 1]!.x;
      const right = pen.points[again]!.x;
      const sample = (1000 / rate) * pxPerMs({ speed: 25, gain: 10 });
      // From the last sample before to the first after is one sample more than is missing.
      const px = right - left - sample;
      assert.ok(Math.abs(px - 132.28) <= 1 + 0.5 / ratio, `${px} px at ${rate} Hz, ratio ${ratio}`);
      assert.equal(pen.points.filter((point) => point.move).length, 2);
    }
  }
});

test("a square wave of 1 mV and 200 ms is 37.8 by 18.9 px", () => {
  for (const ratio of RATIOS) {
    const rate = 1000;
    const values = new Float32Array(1000);
    values.fill(1, 400, 600);
    const pen = new Points();
    draw(pen, values, 0, values.length, placing(rate, 25, ratio), false);
    const ys = pen.points.map((point) => point.y);
    assert.ok(Math.abs(Math.max(...ys) - Math.min(...ys) - 37.8) <= 0.5);
    const high = pen.points.filter((point) => point.y < 40);
    const width = high[high.length - 1]!.x - high[0]!.x;
    assert.ok(Math.abs(width - 18.9) <= 0.5 + 0.5 / ratio, `${width} px at ratio ${ratio}`);
  }
});

test("a spike of one sample is never lost, at 1,000 phases", () => {
  for (const rate of [250, 500, 1000]) {
    for (const ratio of RATIOS) {
      for (const speed of SPEEDS) {
        for (let phase = 0; phase < 1000; phase++) {
          const values = new Float32Array(60);
          const at = 20 + (phase % 20);
          values[at] = 2;
          const place = placing(rate, speed, ratio, 14 + phase / 250);
          const pen = new Points();
          draw(pen, values, 0, values.length, place, false);
          const peak = pen.points.reduce((best, point) => (point.y < best.y ? point : best));
          assert.ok(Math.abs(peak.y - (61 - 2 * place.perMillivolt)) < 1e-6, `height lost at ${rate} Hz, ${ratio}, ${speed}, ${phase}`);
          assert.ok(Math.abs(peak.x - (place.x0 + at * place.dx)) <= 1, `moved at ${rate} Hz, ${ratio}, ${speed}, ${phase}`);
        }
      }
    }
  }
});

test("decimation draws a column from first to last, with both extremes", () => {
  const values = Float32Array.from([0, 3, -2, 1]);
  const pen = new Points();
  draw(pen, values, 0, 4, { ...placing(1000, 25, 1, 14), dx: 0.1 }, false);
  assert.deepEqual(
    pen.points.map(({ y }) => Math.round((61 - y) / (10 * PX_PER_MM) * 10) / 10),
    [3, -2, 1],
  );
});

test("valid flat samples are a line, missing ones never are", () => {
  const flat = new Points();
  assert.equal(draw(flat, new Float32Array(100), 0, 100, placing(250, 25, 1), false), true);
  assert.equal(flat.points.filter((point) => point.move).length, 1);
  const missing = new Points();
  assert.equal(draw(missing, new Float32Array(100).fill(NaN), 0, 100, placing(250, 25, 1), false), false);
  assert.equal(missing.points.length, 0);
});

test("a trace is clipped to its rows", () => {
  const pen = new Points();
  draw(pen, Float32Array.from([0, 9, 0, -9]), 0, 4, { ...placing(50, 25, 1), top: 2, bottom: 91 }, false);
  assert.deepEqual(pen.points.map((point) => point.y), [61, 2, 61, 91]);
});

test("a sweep places a time by the time alone", () => {
  const perMs = pxPerMs({ speed: 25, gain: 10 });
  const sweep = new Sweep(TRACE_LEFT, 508, perMs);
  assert.ok(Math.abs(perMs * 1000 - 94.488) < 0.001);
  assert.ok(Math.abs(sweep.period - 5376) < 1);
  const now = 1_795_000_000_123;
  const same = new Sweep(TRACE_LEFT, 508, perMs);
  assert.equal(sweep.column(now), same.column(now));
  assert.ok(Math.abs(sweep.column(now + 100) - sweep.column(now) - 9.4488) < 1e-3);
  assert.ok(Math.abs(sweep.column(now + sweep.period) - sweep.column(now)) < 1e-3);
  for (let t = now; t < now + 20_000; t += 7) {
    assert.ok(sweep.column(t) >= TRACE_LEFT && sweep.column(t) < TRACE_LEFT + 508);
  }
});

test("playout is the longest frame and 0.2 s, at most 1.5 s", () => {
  assert.equal(playout(250), 450);
  assert.equal(playout(1000), 1200);
  assert.equal(playout(10_000), 1500);
});

test("the baseline takes an electrode's voltage and leaves heights", () => {
  const baseline = new Baseline();
  const peaks: number[] = [];
  for (let second = 0; second < 10; second++) {
    const values = new Float32Array(250).map((_, i) => 3 + (i >= 100 && i < 150 ? 1 : 0)); // 200 ms of 1 mV on 3 mV
    baseline.remove(values, 4);
    if (second > 3) peaks.push(Math.max(...values) - Math.min(...values), Math.abs(values[10]!));
  }
  for (let i = 0; i < peaks.length; i += 2) {
    assert.ok(Math.abs(peaks[i]! - 1) < 1e-5, `height ${peaks[i]}`);
    assert.ok(peaks[i + 1]! < 1e-5, `zero at ${peaks[i + 1]}`);
  }
});

test("the baseline follows a drift slower than its window", () => {
  const baseline = new Baseline();
  let worst = 0;
  for (let frame = 0; frame < 200; frame++) {
    const values = new Float32Array(50).map((_, i) => 0.05 * ((frame * 50 + i) / 250)); // 0.05 mV a second
    baseline.remove(values, 4);
    if (frame > 50) worst = Math.max(worst, ...values.map(Math.abs));
  }
  assert.ok(worst < 0.06, `${worst} mV from zero`);
});

test("zero lies at 66 %, and in the middle for a trace that needs it", () => {
  assert.equal(baselineShare(-0.3, 1.2, 93, 37.8), 0.66);
  assert.equal(baselineShare(-1.1, 1.1, 93, 37.8), 0.5);
  assert.equal(baselineShare(-0.95, 0.4, 93, 37.8), 0.58);
});
