// How many tiles, how big, and what is left out where there is no room.

import { TRACE_LEFT, PX_PER_MM, type Scale } from "./sweep";

/** The most beds one page shows: a bed out of sight is not watched. */
export const MOST = 64;

/** Space between and around tiles, CSS pixels. */
const GAP = 8;
const ROW_GAP = 6;
const HEADER = 52;
const TOP = 8;
const BOTTOM = 4;

/** Width of the numbers at the right of a tile, with and without SpO2 and RESP. */
const NUMBERS_WIDE = 246;
const NUMBERS_NARROW = 128;

/** Seconds that a strip shows at least at 25 mm/s, or it runs at 12.5. */
const LEAST_SECONDS = 4;

/** Height of a tile and its gap below which nobody can read it. */
const LEAST_HEIGHT = 56;

/** Layout of a ward page; lengths are CSS pixels. */
export interface Layout {
  readonly columns: number;
  readonly rows: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  /** Height of a tile's bar. */
  readonly bar: number;
  readonly stripWidth: number;
  readonly stripHeight: number;
  /** SpO2 and RESP are shown. */
  readonly vitals: boolean;
  /** Limits, and the battery above 15 %, are shown. */
  readonly limits: boolean;
  readonly leads: 1 | 2;
  readonly scale: Scale;
  /** The rail: at the right, as a strip on top, or before one column of tiles. */
  readonly rail: "right" | "top" | "column";
  readonly railWidth: number;
}

function grid(beds: number): { columns: number; rows: number } {
  if (beds <= 4) return { columns: 1, rows: 4 };
  if (beds <= 8) return { columns: 2, rows: 4 };
  if (beds <= 16) return { columns: 2, rows: 8 };
  if (beds <= 24) return { columns: 3, rows: 8 };
  if (beds <= 32) return { columns: 4, rows: 8 };
  return { columns: 4, rows: 16 };
}

/** wide takes columns away while strips would be too short for LEAST_SECONDS at 12.5 mm/s and tiles stay high enough to read. */
function wide(columns: number, rows: number, width: number, height: number): { columns: number; rows: number } {
  const places = columns * rows;
  while (columns > 1 && width / columns - GAP - NUMBERS_NARROW < LEAST_SECONDS * 12.5 * PX_PER_MM) {
    const more = Math.ceil(places / (columns - 1));
    if ((height - HEADER - TOP - BOTTOM) / more < LEAST_HEIGHT) break;
    columns--;
    rows = more;
  }
  return { columns, rows };
}

/** layout of a number of beds on a window of width × height. */
export function layout(beds: number, width: number, height: number): Layout {
  const rail = width >= 1200 ? "right" : width >= 600 ? "top" : "column";
  const railWidth = rail !== "right" ? width : width >= 1440 ? 352 : 300;
  let { columns, rows } = grid(beds);
  if (rail === "top" && columns > 2) {
    rows = Math.ceil((columns * rows) / 2);
    columns = 2;
  }
  if (rail === "column") {
    rows = Math.max(1, beds);
    columns = 1;
  }
  if (rail === "right") ({ columns, rows } = wide(columns, rows, width - railWidth, height));
  const gridWidth = rail === "right" ? width - railWidth - 3 * GAP : width - 2 * GAP;
  const gridHeight = height - HEADER - TOP - BOTTOM - (rail === "top" ? 96 + GAP : 0);
  const tileWidth = Math.floor((gridWidth - (columns - 1) * GAP) / columns);
  // One column scrolls, as a phone's page does; a ward display never does.
  const fitted = Math.floor((gridHeight - (rows - 1) * ROW_GAP) / rows);
  const tileHeight = rail === "column" ? 121 : Math.max(30, Math.min(248, fitted));
  return { columns, rows, tileWidth, tileHeight, rail, railWidth, ...inside(tileWidth, tileHeight) };
}

function inside(width: number, height: number) {
  const small = height < 96;
  const bar = small ? 20 : 28;
  const least = LEAST_SECONDS * 25 * PX_PER_MM;
  const vitals = !small && width - NUMBERS_WIDE >= least;
  const stripWidth = width - (vitals ? NUMBERS_WIDE : NUMBERS_NARROW);
  return {
    bar,
    stripWidth,
    stripHeight: height - bar,
    vitals,
    limits: !small,
    leads: height >= 200 ? (2 as const) : (1 as const),
    // Two leads share a high tile at full gain; in the smallest tile 10 mm/mV would not fit 1 mV.
    scale: { speed: stripWidth >= least - TRACE_LEFT ? 25 : 12.5, gain: height - bar < 60 ? 5 : 10 },
  };
}

/** Where the tile of an index lies in the grid, which is filled column by column; CSS pixels from the grid's corner. */
export function place(at: Pick<Layout, "rows" | "tileWidth" | "tileHeight">, index: number): { x: number; y: number } {
  return {
    x: GAP + Math.floor(index / at.rows) * (at.tileWidth + GAP),
    y: TOP + (index % at.rows) * (at.tileHeight + ROW_GAP),
  };
}

/** Size of the grid with its tiles, CSS pixels. */
export function extent(at: Pick<Layout, "rows" | "columns" | "tileWidth" | "tileHeight">): { width: number; height: number } {
  const end = place(at, at.rows * at.columns - 1);
  return { width: end.x + at.tileWidth, height: end.y + at.tileHeight };
}
