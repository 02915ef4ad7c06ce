// The worker: socket, decoding, timers and strips. A hidden tab does not slow
// it down, and a main thread that hangs does not stop it.

import { extent } from "./layout";
import { Link } from "./link";
import type { Shape, Tile, ToMain, Tokens, ToWorker } from "./messages";
import { paper, Strip, type Look } from "./strip";
import { Ward } from "./ward";

declare const self: DedicatedWorkerGlobalScope;

/** How often states are judged and the page is told, ms. */
const TICK_MS = 200;

/** A main thread that has not answered for this long hangs, ms. */
const HUNG_MS = 5_000;

const clock = () => performance.now();

/** Page is the worker's part of one page. */
class Page {
  private readonly ward: Ward;
  private readonly link: Link;
  private readonly context: OffscreenCanvasRenderingContext2D;
  private strips = new Map<string, Strip>();
  private order: readonly string[] = [];
  private readonly sent = new Map<string, Tile>();
  private shape: Shape | null = null;
  private alive: number | null = null;
  private hung = false;
  private sound = false;

  constructor(
    url: string,
    page: number,
    private readonly canvas: OffscreenCanvas,
    private tokens: Tokens,
    private reduced: boolean,
  ) {
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser has no 2d context for an offscreen canvas");
    this.context = context;
    this.ward = new Ward(page);
    this.link = new Link(url, clock, (message, local) => {
      // An alarm does not wait for the next tick.
      if (this.ward.receive(message, local)) this.show();
    });
    this.link.connect();
    setInterval(() => this.tick(), TICK_MS);
    const frame = () => {
      requestAnimationFrame(frame);
      this.draw();
    };
    requestAnimationFrame(frame);
    this.font();
  }

  hear(message: Exclude<ToWorker, { kind: "start" }>): void {
    switch (message.kind) {
      case "tokens":
        this.tokens = message.tokens;
        this.clear();
        this.reduced = message.reduced;
        break;
      case "shape":
        this.shape = message.shape;
        this.clear();
        break;
      case "sound":
        this.sound = message.on;
        this.link.tell(message.on && !this.hung);
        break;
      case "alive":
        this.alive = clock();
        break;
    }
  }

  private font(): void {
    const font = new FontFace("Inter", "url(inter.woff2)", { weight: "100 900" });
    self.fonts.add(font);
    font.load().then(
      () => this.clear(),
      () => undefined, // a strip in another typeface is still a strip
    );
  }

  /** Makes an empty canvas, on which every strip draws itself anew. */
  private clear(): void {
    if (!this.shape) return;
    const { layout, ratio } = this.shape;
    const { width, height } = extent(layout);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.context.fillStyle = this.tokens["page"]!;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    const on = paper(this.context, this.shape, this.tokens);
    this.strips = new Map(this.order.map((key, index) => [key, new Strip(this.context, on, index)]));
  }

  private tick(): void {
    this.link.check();
    const hung = this.alive !== null && clock() - this.alive > HUNG_MS;
    // A page that hangs cannot sound: the server has to know.
    if (hung !== this.hung) this.link.tell(this.sound && !hung);
    this.hung = hung;
    this.show();
  }

  /** Tells the main thread what changed. */
  private show(): void {
    const at = this.ward.moment(clock(), this.link.state);
    const { ward, tiles } = this.ward.view(at, this.link.state);
    const changed = tiles.filter((tile) => !same(this.sent.get(tile.key), tile));
    for (const tile of changed) this.sent.set(tile.key, tile);
    for (const key of this.sent.keys()) if (!ward.order.includes(key)) this.sent.delete(key);
    if (ward.order.length !== this.order.length || ward.order.some((key, i) => key !== this.order[i])) {
      this.order = ward.order;
      this.clear();
    }
    self.postMessage({ kind: "ward", ward, tiles: changed, spoken: this.ward.take() } satisfies ToMain);
  }

  private draw(): void {
    if (!this.shape) return;
    const local = clock();
    const at = this.ward.moment(local, this.link.state);
    let cursor = at.now - this.ward.playout();
    if (this.reduced) cursor = Math.floor(cursor / 1000) * 1000;
    for (const [key, strip] of this.strips) {
      const patient = this.ward.patients.get(key);
      if (!patient) continue;
      const state = patient.state(at);
      const look: Look = this.hung ? "dead" : state === "live" || state === "delayed" ? state : "empty";
      const high = patient.high && state !== "notlive";
      strip.frame(cursor, patient, look, high);
    }
  }
}

function same(a: Tile | undefined, b: Tile): boolean {
  if (!a) return false;
  for (const key of Object.keys(b) as (keyof Tile)[]) if (a[key] !== b[key]) return false;
  return true;
}

let page: Page | null = null;

self.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  if (message.kind === "start") page = new Page(message.url, message.page, message.canvas, message.tokens, message.reduced);
  else page?.hear(message);
};
