// One strip on its canvas: a frame clears and draws only the new columns.

import type { Shape, Tokens } from "./messages";
import type { Letter } from "./patient";
import { runEnd, type Gap, type Run, type Samples } from "./samples";
import { ERASE_PX, pxPerMillivolt, pxPerMs, Sweep, TRACE_LEFT } from "./sweep";
import { baselineShare, draw, type Placing } from "./trace";
import { gap as gapText } from "./words";

type Context = OffscreenCanvasRenderingContext2D;

/** How a strip looks: "empty" shows no trace at all. */
export type Look = "live" | "delayed" | "empty" | "dead";

/** What a strip is drawn from. */
export interface Source {
  readonly samples: Samples;
  readonly letters: readonly Letter[];
}

/** Drawn again before the newest column, CSS pixels, so that joins and the cursor's dot leave nothing behind. */
const MARGIN_PX = 6;

/** Rows left free at the top and the bottom of a trace, CSS pixels. */
const CLIP_PX = 2;

/** Height of a pace mark, CSS pixels; it is not scaled by gain. */
const PACE_PX = 36;

/** Strip draws one patient. */
export class Strip {
  private readonly context: Context;
  private sweep = new Sweep(TRACE_LEFT, 1, 1);
  private shape: Shape | null = null;
  private look: Look | null = null;
  private high = false;
  private tokens: Tokens | null = null;
  private hatch: CanvasPattern | null = null;
  private epoch = -1;
  /** Cursor of the frame before, ms; NaN: draw everything. */
  private cursor = NaN;
  /** Everything before this has been drawn, ms. */
  private drawn = NaN;
  private shares: number[][] = [];

  constructor(readonly canvas: OffscreenCanvas) {
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("strip: this browser has no 2d context for an offscreen canvas");
    this.context = context;
  }

  /** frame draws up to cursor (ms UTC, the server's time less playout). high tints the strip of a HIGH alarm. */
  frame(cursor: number, source: Source, look: Look, high: boolean, shape: Shape, tokens: Tokens): void {
    const fresh = this.prepare(look, high, shape, tokens, source.samples.epoch);
    if (look === "empty" || look === "dead") {
      if (fresh) this.empty(look);
      source.samples.dirty = Infinity;
      return;
    }
    const { samples } = source;
    if (!fresh && cursor === this.cursor && samples.dirty === Infinity) return;
    const late = Math.min(samples.dirty, Number.isNaN(this.drawn) ? Infinity : this.drawn);
    samples.dirty = Infinity;
    let from = Math.min(this.cursor, late) - MARGIN_PX / this.sweep.perMs;
    const all = fresh || !(cursor >= this.cursor) || cursor - from > this.sweep.period - ERASE_PX / this.sweep.perMs;
    if (all) from = cursor - this.sweep.period + ERASE_PX / this.sweep.perMs;
    if (all || this.sweep.pass(cursor) !== this.sweep.pass(this.cursor)) this.settle(samples, all);
    this.paint(from, cursor + ERASE_PX / this.sweep.perMs, cursor, source);
    this.mark(cursor, samples);
    this.cursor = cursor;
    this.drawn = Math.min(cursor, Number.isNaN(samples.newest) ? cursor : samples.newest);
  }

  /** again makes the next frame draw everything. */
  again(): void {
    this.look = null;
  }

  /** Takes over what changed and says whether everything has to be drawn. */
  private prepare(look: Look, high: boolean, shape: Shape, tokens: Tokens, epoch: number): boolean {
    const same = look === this.look && high === this.high && shape === this.shape && tokens === this.tokens && epoch === this.epoch;
    if (same) return false;
    if (shape !== this.shape) {
      this.canvas.width = Math.round(shape.width * shape.ratio);
      this.canvas.height = Math.round(shape.height * shape.ratio);
      this.sweep = new Sweep(TRACE_LEFT, shape.width - TRACE_LEFT, pxPerMs(shape.scale));
    }
    this.hatch = hatching(this.context, tokens[high ? "tile-high" : "tile"]!, tokens["hatch"]!, shape.ratio);
    this.context.setTransform(shape.ratio, 0, 0, shape.ratio, 0, 0);
    this.context.lineJoin = "round";
    this.context.lineCap = "round";
    Object.assign(this, { look, high, shape, tokens, epoch });
    this.cursor = this.drawn = NaN;
    return true;
  }

  private colour(name: string): string {
    return this.tokens![name]!;
  }

  private get background(): string {
    return this.colour(this.high ? "tile-high" : "tile");
  }

  /** Height of one lead's band, CSS pixels. */
  private get band(): number {
    return this.shape!.height / this.shape!.leads;
  }

  /** Chooses where each lead's 0 mV lies for the pass that begins, and writes names and brackets. */
  private settle(samples: Samples, all: boolean): void {
    const perMillivolt = pxPerMillivolt(this.shape!.scale);
    const now = samples.shown.slice(0, this.shape!.leads).map((name) => {
      const [low, high] = extent(samples, name, this.sweep.period);
      return baselineShare(low, high, this.band, perMillivolt);
    });
    this.shares = all ? [now, now] : [this.shares[1] ?? now, now];
    const { context } = this;
    context.fillStyle = this.background;
    context.fillRect(0, 0, TRACE_LEFT, this.shape!.height);
    samples.shown.slice(0, this.shape!.leads).forEach((_, i) => {
      const zero = i * this.band + now[i]! * this.band;
      context.strokeStyle = this.colour("text-3");
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(9.5, zero - perMillivolt);
      context.lineTo(6.5, zero - perMillivolt);
      context.lineTo(6.5, zero);
      context.lineTo(9.5, zero);
      context.stroke();
    });
    this.names(samples);
  }

  private names(samples: Samples): void {
    const { context } = this;
    context.font = "600 11px Inter, sans-serif";
    context.fillStyle = this.colour("text-2");
    context.textAlign = "left";
    samples.shown.slice(0, this.shape!.leads).forEach((name, i) => context.fillText(name, 6, i * this.band + 14));
  }

  /** Draws columns of the times from ≤ t < to, with a trace up to until. */
  private paint(from: number, to: number, until: number, source: Source): void {
    const first = this.sweep.pass(from);
    const last = this.sweep.pass(to);
    for (let pass = first; pass <= last; pass++) {
      const begin = Math.max(from, this.sweep.start(pass));
      const end = Math.min(to, this.sweep.start(pass + 1));
      if (end > begin) this.piece(pass, begin, end, until, source);
    }
  }

  private piece(pass: number, from: number, to: number, until: number, source: Source): void {
    const { context, sweep } = this;
    const { ratio, width, height } = this.shape!;
    const left = Math.max(TRACE_LEFT, Math.floor(sweep.x(from, pass) * ratio) / ratio);
    const right = Math.min(width, Math.ceil(sweep.x(to, pass) * ratio) / ratio);
    context.save();
    context.beginPath();
    context.rect(left, 0, right - left, height);
    context.clip();
    context.fillStyle = this.background;
    context.fillRect(left, 0, right - left, height);
    this.grid(left, right);
    // A little more than the piece, so that lines enter and leave it whole.
    const a = from - MARGIN_PX / sweep.perMs;
    const b = Math.min(until, to + MARGIN_PX / sweep.perMs);
    this.gaps(pass, a, b, source.samples);
    this.traces(pass, a, b, source.samples);
    this.pulses(pass, a, b, source.samples);
    this.lettering(pass, a, b, source);
    this.small(left, right, source.samples);
    context.restore();
  }

  /** A faint line each second of paper. */
  private grid(left: number, right: number): void {
    const { context } = this;
    const step = 1000 * this.sweep.perMs;
    context.fillStyle = this.colour("grid");
    for (let x = TRACE_LEFT + Math.ceil((left - TRACE_LEFT) / step) * step; x <= right; x += step) {
      if (x > TRACE_LEFT) context.fillRect(Math.round(x), 3, 1, this.shape!.height - 6);
    }
  }

  private gaps(pass: number, from: number, to: number, samples: Samples): void {
    for (const gap of samples.gaps) if (gap.to > from && gap.from < to) this.gap(pass, gap, gap.from, Math.min(gap.to, to));
    // What has not come yet, in a strip that is late, is hatched too.
    if (this.look === "delayed" && samples.newest < to) {
      this.block(this.sweep.x(samples.newest, pass), this.sweep.x(to, pass));
      this.context.fillStyle = this.colour("text-1");
      this.context.fillRect(this.sweep.x(samples.newest, pass), 3, 1.5, this.shape!.height - 6);
    }
  }

  private gap(pass: number, gap: Gap, from: number, to: number): void {
    const { context, sweep } = this;
    const { height } = this.shape!;
    const left = sweep.x(from, pass);
    const right = sweep.x(to, pass);
    this.block(left, right);
    context.strokeStyle = this.colour("text-3");
    context.lineWidth = 1;
    context.setLineDash([2, 2]);
    context.beginPath();
    for (const x of [left, sweep.x(gap.to, pass)]) {
      context.moveTo(x, 2);
      context.lineTo(x, height - 2);
    }
    context.stroke();
    context.setLineDash([]);
    const wide = sweep.x(gap.to, pass) - left;
    if (wide < 56) return;
    context.fillStyle = this.colour("text-2");
    context.font = "600 11px Inter, sans-serif";
    context.textAlign = "center";
    context.fillText(gap.off ? "lead off" : gapText(gap.to - gap.from), left + wide / 2, 13);
  }

  private block(left: number, right: number): void {
    this.context.fillStyle = this.hatch!;
    this.context.fillRect(left, 0, right - left, this.shape!.height);
  }

  private placing(run: Run, pass: number, band: number): Placing {
    const shares = this.shares[pass === this.sweep.pass(this.cursor) - 1 ? 0 : 1] ?? [];
    const top = band * this.band;
    return {
      x0: this.sweep.x(run.start, pass),
      dx: run.dt * this.sweep.perMs,
      baseline: top + (shares[band] ?? 0.66) * this.band,
      perMillivolt: pxPerMillivolt(this.shape!.scale),
      top: top + CLIP_PX,
      bottom: top + this.band - CLIP_PX,
      ratio: this.shape!.ratio,
    };
  }

  private traces(pass: number, from: number, to: number, samples: Samples): void {
    const { context } = this;
    context.strokeStyle = context.fillStyle = this.colour(this.look === "delayed" ? "stale" : "trace");
    context.lineWidth = 1.6;
    const runs = overlapping(samples.runs, from, to);
    samples.shown.slice(0, this.shape!.leads).forEach((name, band) => {
      let joined = false;
      context.beginPath();
      for (const run of runs) {
        const lead = run.leads.find((lead) => lead.name === name);
        if (!lead) {
          joined = false;
          continue;
        }
        const begin = Math.max(0, Math.floor((from - run.start) / run.dt));
        const end = Math.min(run.count, Math.floor((to - run.start) / run.dt) + 1);
        const at = this.placing(run, pass, band);
        joined = draw(context, lead.values, begin, end, at, joined && run.joined);
        this.arrows(lead.values, begin, end, at);
      }
      context.stroke();
    });
  }

  /** Marks where the trace leaves the tile. */
  private arrows(values: Float32Array, from: number, to: number, at: Placing): void {
    let outside = false;
    for (let i = from; i < to; i++) {
      const y = at.baseline - values[i]! * at.perMillivolt;
      const up = y < at.top - 1;
      const down = y > at.bottom + 1;
      if ((up || down) && !outside) this.triangle(at.x0 + i * at.dx, up ? at.top : at.bottom, up ? 1 : -1, 4);
      outside = up || down;
    }
  }

  private triangle(x: number, y: number, direction: 1 | -1, size: number): void {
    const path = new Path2D();
    path.moveTo(x, y);
    path.lineTo(x - size, y + direction * size * 1.3);
    path.lineTo(x + size, y + direction * size * 1.3);
    path.closePath();
    this.context.fill(path);
  }

  private pulses(pass: number, from: number, to: number, samples: Samples): void {
    const { context } = this;
    context.fillStyle = this.colour(this.look === "delayed" ? "stale" : "pace");
    for (const run of overlapping(samples.runs, from, to)) {
      for (const time of run.pulses) {
        if (time < from || time > to) continue;
        const x = this.sweep.x(time, pass);
        const top = Math.max(8, 0.66 * this.band - PACE_PX);
        context.fillRect(x - 0.75, top, 1.5, Math.min(PACE_PX, this.shape!.height - top - 2));
        this.triangle(x, top, -1, 3.5);
      }
    }
  }

  private lettering(pass: number, from: number, to: number, source: Source): void {
    const { context } = this;
    context.font = "700 11px Inter, sans-serif";
    context.textAlign = "center";
    context.fillStyle = this.colour(this.look === "delayed" ? "stale" : "text-1");
    for (const { time, letter } of source.letters) {
      if (time >= from && time <= to) context.fillText(letter, this.sweep.x(time, pass), this.shape!.height - 4);
    }
  }

  /** Leads' names, and speed and gain where they are not 25 and 10. */
  private small(left: number, right: number, samples: Samples): void {
    const { context } = this;
    const { width, height, scale } = this.shape!;
    if (left < TRACE_LEFT + 40) this.names(samples);
    const parts = [scale.speed === 25 ? "" : `${scale.speed} mm/s`, scale.gain === 10 ? "" : `${scale.gain} mm/mV`].filter(Boolean);
    if (parts.length === 0 || right < width - 120) return;
    context.font = "600 11px Inter, sans-serif";
    context.textAlign = "right";
    context.fillStyle = this.colour("text-3");
    context.fillText(parts.join(" · "), width - 4, height - 4);
  }

  /** The common cursor, and a dot where the trace ends. */
  private mark(cursor: number, samples: Samples): void {
    const { context, sweep } = this;
    const x = sweep.column(cursor);
    context.save();
    context.beginPath();
    context.rect(TRACE_LEFT, 0, this.shape!.width, this.shape!.height);
    context.clip();
    context.fillStyle = this.colour("text-1");
    context.globalAlpha = 0.75;
    context.fillRect(x, 3, 1.5, this.shape!.height - 6);
    context.globalAlpha = 1;
    if (this.look === "live") this.dot(cursor, samples);
    context.restore();
  }

  private dot(cursor: number, samples: Samples): void {
    const { context, sweep } = this;
    const end = Math.min(cursor, samples.newest);
    const run = samples.runs.findLast((run) => run.start <= end);
    const lead = run?.leads.find((lead) => lead.name === samples.shown[0]);
    const value = run && lead?.values[Math.min(run.count - 1, Math.floor((end - run.start) / run.dt))];
    if (!run || value === undefined || value !== value || cursor - end > 1000) return;
    const pass = sweep.pass(end);
    const at = this.placing(run, pass, 0);
    const y = Math.min(at.bottom, Math.max(at.top, at.baseline - value * at.perMillivolt));
    context.beginPath();
    context.arc(sweep.x(end, pass), y, 3, 0, 7);
    context.fill();
  }

  /** A strip without a trace: hatched, or dark and saying so when nobody else can say it any more. */
  private empty(look: Look): void {
    const { context } = this;
    const { width, height } = this.shape!;
    context.fillStyle = this.background;
    context.fillRect(0, 0, width, height);
    this.block(0, width);
    this.grid(TRACE_LEFT, width);
    if (look !== "dead") return;
    context.fillStyle = this.colour("own");
    context.fillRect(width / 2 - 60, height / 2 - 16, 120, 32);
    context.fillStyle = this.colour("on-own");
    context.font = "700 18px Inter, sans-serif";
    context.textAlign = "center";
    context.fillText("NOT LIVE", width / 2, height / 2 + 6);
  }
}

/** Runs that hold any time of from to to. */
function overlapping(runs: readonly Run[], from: number, to: number): readonly Run[] {
  let begin = runs.length;
  while (begin > 0 && runEnd(runs[begin - 1]!) >= from) begin--;
  let end = begin;
  while (end < runs.length && runs[end]!.start <= to) end++;
  return runs.slice(begin, end);
}

/** Least and greatest mV of a lead over the last ms. */
function extent(samples: Samples, name: string, ms: number): [number, number] {
  let low = 0;
  let high = 0;
  for (const run of overlapping(samples.runs, samples.newest - ms, samples.newest)) {
    for (const value of run.leads.find((lead) => lead.name === name)?.values ?? []) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}

/** Diagonal lines on a background. */
function hatching(context: Context, background: string, line: string, ratio: number): CanvasPattern {
  const size = Math.round(8 * ratio);
  const canvas = new OffscreenCanvas(size, size);
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = background;
  pen.fillRect(0, 0, size, size);
  pen.strokeStyle = line;
  pen.lineWidth = ratio;
  pen.beginPath();
  for (const offset of [-size, 0, size]) {
    pen.moveTo(offset - 1, size + 1);
    pen.lineTo(offset + size + 1, -1);
  }
  pen.stroke();
  const pattern = context.createPattern(canvas, "repeat")!;
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}
