// The whole page, from what the worker said last.

import { extent, type Layout } from "../layout";
import type { Card, Tile as TileState, Ward } from "../messages";
import { NO_DEVICE, NO_SOUND } from "../words";
import { Header } from "./header";
import { SpeakerOff, WifiOff } from "./icons";
import { Rail } from "./rail";
import { Tile } from "./tile";

/** What the page shows. */
export interface Shown {
  readonly ward: Ward;
  readonly tiles: ReadonlyMap<string, TileState>;
  /** Cards in the order in which they stand now. */
  readonly cards: readonly Card[];
  readonly layout: Layout;
  readonly sound: boolean;
}

export function App({ shown }: { shown: Shown }) {
  const { ward, layout: at } = shown;
  const room = at.rail === "top" ? 3 : Math.max(1, Math.floor((window.innerHeight - 190) / 92));
  return (
    <div class={`page rail-${at.rail}`}>
      <Header ward={ward} scale={at.scale} sound={shown.sound} />
      <Banners ward={ward} sound={shown.sound} />
      <main class="grid" style={places(at)} aria-label="Beds">
        <canvas class="strips" style={size(at)} aria-hidden="true" />
        {ward.order.map((key) => {
          const tile = shown.tiles.get(key);
          return tile && <Tile key={key} tile={tile} layout={at} />;
        })}
        {ward.order.length === 0 && <Start />}
      </main>
      <Rail ward={ward} cards={shown.cards} room={room} live={ward.connected} />
    </div>
  );
}

/** places fills the grid column by column, with room for every bed of its size. */
function places(at: Layout): Record<string, string> {
  return {
    gridTemplateRows: `repeat(${at.rows}, ${at.tileHeight}px)`,
    gridTemplateColumns: `repeat(${at.columns}, ${at.tileWidth}px)`,
    "--bar": `${at.bar}px`,
  };
}

/** size of the canvas that the worker draws all strips on: one canvas, so that no strip can fall behind another. */
function size(at: Layout): Record<string, string> {
  const { width, height } = extent(at);
  return { width: `${width}px`, height: `${height}px` };
}

/** The page's own state, black on white across the top, over the header: no tile moves for it. */
function Banners({ ward, sound }: { ward: Ward; sound: boolean }) {
  const banners = ward.banners.map(([title, text]) => ({ title, text, icon: <WifiOff size={20} /> }));
  if (!sound) banners.push({ title: NO_SOUND[0], text: NO_SOUND[1], icon: <SpeakerOff size={20} /> });
  if (banners.length === 0) return null;
  return (
    <div class="banners">
      {banners.map(({ title, text, icon }) => (
        <div class="banner" key={title.replace(/\d.*/, "")}>
          {icon}
          <b>{title}</b>
          <span>{text}</span>
        </div>
      ))}
    </div>
  );
}

function Start() {
  return (
    <div class="start">
      <p>
        <b>{NO_DEVICE[0]}</b> {NO_DEVICE[1]}
      </p>
      <p>No patches yet.</p>
    </div>
  );
}

