// One strip of the page's canvas: a frame clears and draws only the new columns.

import { hatching } from "./hatch";
import { place } from "./layout";
import type { Shape, Tokens } from "./messages";
import type { Letter } from "./patient";
import { extent, overlapping, type Gap, type Run, type Samples } from "./samples";
import { ERASE_PX, pxPerMillivolt, pxPerMs, Sweep, TRACE_LEFT } from "./sweep";
import { baselineShare, draw, type Placing } from "./trace";
import { gap as gapText } from "./words";

type Context = OffscreenCanvasRenderingContext2D;

/** How a strip looks: "empty" shows no trace at all. */
export type Look = "live" | "delayed" | "empty" | "dead";

/**
 * What strips are drawn on. Its hatches are made beforehand: a worker that asks
 * for a canvas waits for the main thread, which may hang.
 */
export interface Paper {
  readonly shape: Shape;
  readonly tokens: Tokens;
  readonly hatch: CanvasPattern;
  readonly hatchHigh: CanvasPattern;
}

/** paper for a shape and colours. */
export function paper(context: Context, shape: Shape, tokens: Tokens): Paper {
  const hatch = (background: string) => hatching(context, tokens[background]!, tokens["hatch"]!, shape.ratio);
  return { shape, tokens, hatch: hatch("tile"), hatchHigh: hatch("tile-high") };
}

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

/** Below this height of a lead's band its name and bracket stand closer, CSS pixels. */
const LOW_PX = 60;

/** Radius of a tile's corner, CSS pixels. */
const RADIUS_PX = 6;

/** Strip draws one patient, in its place on the canvas. */
export class Strip {
  private readonly sweep: Sweep;
  private look: Look | null = null;
  private high = false;
  private epoch = -1;
  /** Cursor of the frame before, ms; NaN: draw everything. */
  private cursor = NaN;
  /** Everything before this has been drawn, ms. */
  private drawn = NaN;
  private shares: number[][] = [];

  /** A strip in the tile of an index. A paper that changes asks for new strips. */
  constructor(
    private readonly context: Context,
    private readonly paper: Paper,
    private readonly index: number,
  ) {
    const { layout } = paper.shape;
    this.sweep = new Sweep(TRACE_LEFT, layout.stripWidth - TRACE_LEFT, pxPerMs(layout.scale));
  }

  /** frame draws up to cursor (ms UTC, the server's time less playout). high tints the strip of a HIGH alarm. */
  frame(cursor: number, source: Source, look: Look, high: boolean): void {
    const { ratio, layout } = this.paper.shape;
    const { x, y } = place(layout, this.index);
    this.context.setTransform(ratio, 0, 0, ratio, Math.round(x * ratio), Math.round((y + layout.bar) * ratio));
    const fresh = this.prepare(look, high, source.samples.epoch);
    if (look === "empty" || look === "dead") {
      // Once a second again: what a hung page says last must not be lost on its way to the screen.
      const second = Math.floor(cursor / 1000);
      if (fresh || (look === "dead" && second !== this.cursor)) this.empty(look);
      this.cursor = second;
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

  /** Takes over what changed and says whether everything has to be drawn. */
  private prepare(look: Look, high: boolean, epoch: number): boolean {
    if (look === this.look && high === this.high && epoch === this.epoch) return false;
    Object.assign(this, { look, high, epoch });
    this.cursor = this.drawn = NaN;
    return true;
  }

  private colour(name: string): string {
    return this.paper.tokens[name]!;
  }

  private get background(): string {
    return this.colour(this.high ? "tile-high" : "tile");
  }

  private get width(): number {
    return this.paper.shape.layout.stripWidth;
  }

  private get height(): number {
    return this.paper.shape.layout.stripHeight;
  }

  private get leads(): number {
    return this.paper.shape.layout.leads;
  }

  /** Height of one lead's band, CSS pixels. */
  private get band(): number {
    return this.height / this.leads;
  }

  /** Chooses where each lead's 0 mV lies for the pass that begins, and writes names and brackets. */
  private settle(samples: Samples, all: boolean): void {
    const perMillivolt = pxPerMillivolt(this.paper.shape.layout.scale);
    const now = samples.shown.slice(0, this.leads).map((name) => {
      const [low, high] = extent(samples, name, this.sweep.period);
      return baselineShare(low, high, this.band, perMillivolt);
    });
    this.shares = all ? [now, now] : [this.shares[1] ?? now, now];
    const { context } = this;
    this.ground(TRACE_LEFT);
    const x = this.band < LOW_PX ? 3.5 : 6.5;
    samples.shown.slice(0, this.leads).forEach((_, i) => {
      const zero = i * this.band + now[i]! * this.band;
      context.strokeStyle = this.colour("text-3");
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x + 3, zero - perMillivolt);
      context.lineTo(x, zero - perMillivolt);
      context.lineTo(x, zero);
      context.lineTo(x + 3, zero);
      context.stroke();
    });
    this.names(samples);
  }

  /** Fills the strip's left part, or all of it, within the tile's round corner. */
  private ground(width: number): void {
    const { context } = this;
    context.fillStyle = this.colour("page");
    context.fillRect(0, 0, RADIUS_PX, this.height);
    context.fillStyle = this.background;
    context.beginPath();
    context.roundRect(0, 0, width, this.height, [0, 0, 0, RADIUS_PX]);
    context.fill();
  }

  private names(samples: Samples): void {
    const { context } = this;
    context.font = "600 11px Inter, sans-serif";
    context.fillStyle = this.colour("text-2");
    context.textAlign = "left";
    samples.shown.slice(0, this.leads).forEach((name, i) => context.fillText(name, 6, i * this.band + (this.band < LOW_PX ? 10 : 14)));
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
    const { width, height } = this;
    const { ratio } = this.paper.shape;
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
    this.small(left, right, source.samples);
    this.traces(pass, a, b, source.samples);
    this.pulses(pass, a, b, source.samples);
    this.lettering(pass, a, b, source);
    context.restore();
  }

  /** A faint line each second of paper. */
  private grid(left: number, right: number): void {
    const { context } = this;
    const step = 1000 * this.sweep.perMs;
    context.fillStyle = this.colour("grid");
    for (let x = TRACE_LEFT + Math.ceil((left - TRACE_LEFT) / step) * step; x <= right; x += step) {
      if (x > TRACE_LEFT) context.fillRect(Math.round(x), 3, 1, this.height - 6);
    }
  }

  private gaps(pass: number, from: number, to: number, samples: Samples): void {
    for (const gap of samples.gaps) if (gap.to > from && gap.from < to) this.gap(pass, gap, gap.from, Math.min(gap.to, to));
    // What has not come yet, in a strip that is late, is hatched too.
    if (this.look === "delayed" && samples.newest < to) {
      this.block(this.sweep.x(samples.newest, pass), this.sweep.x(to, pass));
      this.context.fillStyle = this.colour("text-1");
      this.context.fillRect(this.sweep.x(samples.newest, pass), 3, 1.5, this.height - 6);
    }
  }

  private gap(pass: number, gap: Gap, from: number, to: number): void {
    const { context, sweep } = this;
    const { height } = this;
    const left = sweep.x(from, pass);
    const right = sweep.x(to, pass);
    this.block(left, right);
    context.strokeStyle = this.colour("text-3");
    context.lineWidth = 1;
    context.lineCap = "butt";
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
    this.context.fillStyle = this.high ? this.paper.hatchHigh : this.paper.hatch;
    this.context.fillRect(left, 0, right - left, this.height);
  }

  private placing(run: Run, pass: number, band: number): Placing {
    const shares = this.shares[pass === this.sweep.pass(this.cursor) - 1 ? 0 : 1] ?? [];
    const top = band * this.band;
    return {
      x0: this.sweep.x(run.start, pass),
      dx: run.dt * this.sweep.perMs,
      baseline: top + (shares[band] ?? 0.66) * this.band,
      perMillivolt: pxPerMillivolt(this.paper.shape.layout.scale),
      top: top + CLIP_PX,
      bottom: top + this.band - CLIP_PX,
      ratio: this.paper.shape.ratio,
    };
  }

  private traces(pass: number, from: number, to: number, samples: Samples): void {
    const { context } = this;
    context.strokeStyle = context.fillStyle = this.colour(this.look === "delayed" ? "stale" : "trace");
    context.lineWidth = 1.6;
    context.lineJoin = context.lineCap = "round";
    const runs = overlapping(samples.runs, from, to);
    samples.shown.slice(0, this.leads).forEach((name, band) => {
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
        context.fillRect(x - 0.75, top, 1.5, Math.min(PACE_PX, this.height - top - 2));
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
      if (time >= from && time <= to) context.fillText(letter, this.sweep.x(time, pass), this.height - 4);
    }
  }

  /** Leads' names, and speed and gain where they are not 25 and 10. */
  private small(left: number, right: number, samples: Samples): void {
    const { context } = this;
    const { width, height } = this;
    const { scale } = this.paper.shape.layout;
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
    context.rect(TRACE_LEFT, 0, this.width - TRACE_LEFT, this.height);
    context.clip();
    context.fillStyle = this.colour("text-1");
    context.globalAlpha = 0.75;
    context.fillRect(x, 3, 1.5, this.height - 6);
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
    const { width, height } = this;
    this.ground(width);
    this.block(RADIUS_PX, width);
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
