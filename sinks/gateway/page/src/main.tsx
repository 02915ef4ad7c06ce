// The main thread: it shows and sounds what the worker knows, and distrusts a
// worker that falls silent.

import { render } from "preact";
import { Announcer } from "./announce";
import { bright, HIGH_HZ, MEDIUM_HZ } from "./flash";
import { layout, type Layout } from "./layout";
import { notLive, type Card, type Spoken, type Tile, type ToMain, type ToWorker, type Ward } from "./messages";
import { tune } from "./schedule";
import { App } from "./view/app";
import { Voice } from "./voice";
import { BANNER_MS, hourMinute, notConnected, NOT_LIVE_MS, stopwatch } from "./words";

/** The order of the rail waits until this long after the last pointer or key, ms. */
const HANDS_OFF_MS = 1_000;

/** Colours that the canvas takes from style.css. */
const TOKENS = ["page", "tile", "tile-high", "grid", "hatch", "text-1", "text-2", "text-3", "trace", "stale", "pace", "own", "on-own"];

const NOTHING: Ward = {
  at: null, site: "", unit: "", connected: false, banners: [], decision: "No decision yet", counts: [], cards: [],
  ended: [], endedSince: hourMinute(Date.now()), order: [], beyond: 0, worst: null, newestLow: "", lost: false, loss: "",
};

class Page {
  private readonly worker = new Worker("worker.js");
  private readonly voice = new Voice();
  private readonly tiles = new Map<string, Tile>();
  private ward = NOTHING;
  private cards: readonly Card[] = [];
  private layout: Layout = layout(1, innerWidth, innerHeight);
  private heard = performance.now();
  private hand = -Infinity;
  private told: boolean | null = null;
  private said: readonly string[] = [];
  private readonly announcer = new Announcer(region("assertive"), region("polite"));
  private readonly reduced = matchMedia("(prefers-reduced-motion: reduce)");

  start(): void {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const page = Math.max(1, Number(new URLSearchParams(location.search).get("page")) || 1);
    this.show();
    const canvas = document.querySelector<HTMLCanvasElement>("canvas.strips")!.transferControlToOffscreen();
    const url = `${scheme}//${location.host}/v1/live`;
    this.send({ kind: "start", url, canvas, tokens: tokens(), reduced: this.reduced.matches, page }, [canvas]);
    this.worker.onmessage = (event: MessageEvent<ToMain>) => this.hear(event.data);
    this.reduced.addEventListener("change", () => this.recolour());
    addEventListener("resize", () => this.reshape(true));
    for (const kind of ["pointerdown", "pointermove", "keydown"] as const) addEventListener(kind, () => (this.hand = performance.now()), true);
    for (const kind of ["pointerdown", "pointerup", "click", "keydown"]) addEventListener(kind, () => this.unlock(), true);
    addEventListener("keydown", (event: KeyboardEvent) => this.key(event));
    this.voice.unlock();
    this.reshape(true);
    setInterval(() => this.sound(), 250);
    const frame = () => {
      this.flash();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    setInterval(() => this.doubt(), 250);
    this.show();
  }

  private send(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  private hear(message: ToMain): void {
    const now = performance.now();
    this.heard = now;
    this.send({ kind: "alive" });
    this.ward = message.ward;
    for (const tile of message.tiles) this.tiles.set(tile.key, tile);
    for (const key of this.tiles.keys()) if (!message.ward.order.includes(key)) this.tiles.delete(key);
    this.arrange(now);
    this.announcer.update([...message.spoken, ...this.newBanners()], now);
    this.sound();
    this.reshape(false);
    this.show();
  }

  /** A banner is said once, without its running time. */
  private newBanners(): Spoken[] {
    const all = this.ward.banners.map(([title, text]) => `${title.replace(/ \d.*/, "")}. ${text.split(".")[0]}`);
    const fresh = all.filter((text) => !this.said.includes(text));
    this.said = all;
    return fresh.map((text) => ({ assertive: true, text }));
  }

  /** A card never moves under a hand: until it rests, cards keep their places, and only a new HIGH is put on top of them. */
  private arrange(now: number): void {
    const fresh = new Map(this.ward.cards.map((card) => [card.id, card]));
    if (now - this.hand > HANDS_OFF_MS) {
      this.cards = this.ward.cards;
      return;
    }
    const standing = this.cards.filter((card) => fresh.has(card.id)).map((card) => fresh.get(card.id)!);
    const known = new Set(standing.map((card) => card.id));
    this.cards = [...standing, ...this.ward.cards.filter((card) => !known.has(card.id))];
  }

  /** A worker that says nothing has died: nothing on the page may look live. */
  private doubt(): void {
    const silent = performance.now() - this.heard;
    if (silent <= BANNER_MS) return;
    this.ward = { ...this.ward, connected: false, banners: [notConnected(silent, null, null)], lost: silent > NOT_LIVE_MS };
    this.show();
  }

  private unlock(): void {
    this.voice.unlock();
    this.sound();
  }

  private sound(): void {
    const before = this.voice.on;
    this.voice.update(tune(this.ward.worst, this.ward.lost), this.ward.newestLow, performance.now());
    if (this.told !== this.voice.on) {
      this.told = this.voice.on;
      this.send({ kind: "sound", on: this.voice.on });
    }
    if (before !== this.voice.on) this.show();
  }

  /** All flashes share one clock. */
  private flash(): void {
    const now = performance.now();
    const root = document.documentElement;
    root.toggleAttribute("data-high-dim", !bright(HIGH_HZ, now));
    root.toggleAttribute("data-medium-dim", !bright(MEDIUM_HZ, now));
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const arrows: Record<string, [number, number]> = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    const arrow = arrows[event.key];
    if (arrow) this.move(...arrow, event);
    else if (event.key.toLowerCase() === "d") {
      document.documentElement.toggleAttribute("data-night");
      this.recolour();
    } else if (event.key.toLowerCase() === "s") this.voice.test();
  }

  /** Arrows move between beds, which stand column by column. */
  private move(columns: number, rows: number, event: KeyboardEvent): void {
    const all = [...document.querySelectorAll<HTMLElement>(".tile")];
    const here = all.indexOf(document.activeElement as HTMLElement);
    const next = here < 0 ? 0 : here + columns * this.layout.rows + rows;
    all[next]?.focus();
    event.preventDefault();
  }

  private recolour(): void {
    this.send({ kind: "tokens", tokens: tokens(), reduced: this.reduced.matches });
  }

  /** Chooses the layout for the beds there are, and tells the worker the shape of every strip. */
  private reshape(resized: boolean): void {
    const next = layout(Math.max(1, this.ward.order.length), innerWidth, innerHeight);
    if (!resized && JSON.stringify(next) === JSON.stringify(this.layout)) return;
    this.layout = next;
    this.send({ kind: "shape", shape: { layout: next, ratio: devicePixelRatio } });
    this.show();
  }

  private show(): void {
    const silent = performance.now() - this.heard;
    const why = `NOT CONNECTED ${stopwatch(silent)}`;
    const dead = [...this.tiles].map(([key, tile]) => [key, notLive(tile, why, "")] as const);
    const tiles = silent > NOT_LIVE_MS ? new Map(dead) : this.tiles;
    const shown = { ward: this.ward, tiles, cards: this.cards, layout: this.layout, sound: this.voice.on };
    render(<App shown={shown} />, document.getElementById("app")!);
  }
}

function tokens(): Record<string, string> {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(TOKENS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** A live region, apart from what is drawn. */
function region(live: "assertive" | "polite"): (text: string) => void {
  const element = document.createElement("div");
  element.className = "spoken";
  element.setAttribute("aria-live", live);
  document.body.append(element);
  return (text) => (element.textContent = text);
}

new Page().start();
