// What the page's two threads say to each other. The worker knows; the main
// thread shows and sounds.

import type { Level } from "./alarms";
import type { Layout } from "./layout";
import type { Signal } from "./quiet";

/** State of a tile. */
export type TileState = "live" | "delayed" | "nodata" | "leadoff" | "standby" | "notlive";

/** All that a tile shows, as text. Two that are equal field by field look equal. */
export interface Tile {
  /** The patient's key: never shown. */
  readonly key: string;
  readonly bed: string;
  readonly alias: string;
  readonly unassigned: boolean;
  readonly state: TileState;
  /** Text of a bar without alarm. */
  readonly note: string;
  /** Text at the bar's right: an age of values, of an alarm, a time left, or nothing. */
  readonly right: string;
  /** The same for a narrow tile. */
  readonly short: string;
  /** What is at the right is the page's own word. */
  readonly own: boolean;
  /** No alarm is decided: standby, as the record says. */
  readonly standby: boolean;
  /** How the alarm that is shown is to be heard; without an alarm, whether those that come are. */
  readonly signal: Signal;
  readonly level: Level | "";
  readonly technical: boolean;
  readonly latched: boolean;
  readonly alarm: string;
  readonly detail: string;
  /** The same for a narrow tile: of what is quiet the person alone, for the bell says the rest. */
  readonly shortDetail: string;
  /** Other open alarms. */
  readonly more: number;
  /** One of them sounds, and the one that is shown does not. */
  readonly moreSounds: boolean;
  readonly rate: string;
  /** Numbers are of the past. */
  readonly grey: boolean;
  /** The rate takes the alarm's colour. */
  readonly cause: boolean;
  readonly high: string;
  readonly low: string;
  readonly spo2: string;
  readonly resp: string;
  /** Bars of signal quality, 0 to 4. */
  readonly quality: number;
  /** Per cent; -1: unknown. */
  readonly battery: number;
  readonly fresh: string;
  /** A box over the strip; "" none. */
  readonly box: string;
  readonly boxDetail: string;
  /** The tile's name for readers. */
  readonly name: string;
}

/** A card of the rail. */
export interface Card {
  readonly id: string;
  readonly key: string;
  readonly bed: string;
  readonly alias: string;
  readonly level: Level;
  readonly technical: boolean;
  readonly latched: boolean;
  readonly signal: Signal;
  readonly text: string;
  readonly detail: string;
  /** Time since its onset, or what is left of its quiet. */
  readonly time: string;
  /** That time is the page's own word. */
  readonly own: boolean;
  readonly lastKnown: boolean;
}

/** An alarm that ended while this page was open. */
export interface Ended {
  readonly id: string;
  readonly at: string;
  readonly bed: string;
  readonly text: string;
}

/** What a new alarm says to readers. */
export interface Spoken {
  readonly assertive: boolean;
  readonly text: string;
}

/** State of the whole page. */
export interface Ward {
  /** Server's time, ms UTC; null before the first message. */
  readonly at: number | null;
  readonly site: string;
  readonly unit: string;
  readonly connected: boolean;
  /** Banners of the page's own state, each a title and a text. */
  readonly banners: readonly (readonly [string, string])[];
  /** Text of the last decision. */
  readonly decision: string;
  readonly counts: readonly (readonly [number, string])[];
  readonly cards: readonly Card[];
  readonly ended: readonly Ended[];
  readonly endedSince: string;
  /** Keys in the order of their places. */
  readonly order: readonly string[];
  /** Beds beyond those that this page shows. */
  readonly beyond: number;
  /** Worst alarm that sounds, and the newest LOW one, whose single pulse is due once. */
  readonly worst: Level | null;
  readonly newestLow: string;
  /** The page has lost its server, or nobody decides. */
  readonly lost: boolean;
  /** Small print: what this page could not show. */
  readonly loss: string;
}

/** Where and how the strips of a page are drawn. */
export interface Shape {
  readonly layout: Layout;
  /** Device pixels in a CSS pixel. */
  readonly ratio: number;
}

/** Colours of the canvas, by the names of style.css. */
export type Tokens = Readonly<Record<string, string>>;

export type ToWorker =
  | { kind: "start"; url: string; canvas: OffscreenCanvas; tokens: Tokens; reduced: boolean; page: number }
  | { kind: "tokens"; tokens: Tokens; reduced: boolean }
  | { kind: "shape"; shape: Shape }
  | { kind: "sound"; on: boolean }
  | { kind: "alive" };

export type ToMain = { kind: "ward"; ward: Ward; tiles: Tile[]; spoken: Spoken[] };

/** A tile of which nothing is known to be live: nothing of it may look so. */
export function notLive(tile: Tile, why: string, last: string): Tile {
  return {
    ...tile,
    state: "notlive",
    note: tile.level ? "" : why,
    right: tile.level ? why : "",
    short: tile.level ? why : "",
    own: false,
    standby: false,
    cause: false,
    detail: tile.level ? "last known" : "",
    shortDetail: tile.level ? "last known" : "",
    rate: "– – –",
    spo2: "–",
    resp: "–",
    quality: 0,
    battery: -1,
    fresh: "NOT LIVE",
    box: "NOT LIVE",
    boxDetail: last,
    name: `Bed ${tile.bed}, not live${tile.level ? `, last known ${tile.level} ${tile.alarm}` : ""}`,
  };
}
