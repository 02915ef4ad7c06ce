// A bed's tile. Where its strip is, it lets the worker's canvas through.

import { Component } from "preact";
import type { Layout } from "../layout";
import type { Tile as State } from "../messages";
import type { Signal } from "../quiet";
import { Battery, Bell, Plug, Priority, Quality, WifiOff } from "./icons";

interface Props {
  tile: State;
  layout: Layout;
}

interface Looks {
  level: string;
  technical: boolean;
  latched: boolean;
  signal: Signal;
}

/** levelClass names the look of an alarm, for tiles and cards. What is latched or quiet does not flash. */
export function levelClass({ level, technical, latched, signal }: Looks): string {
  const quiet = signal !== "sounding";
  const of: [boolean, string][] = [
    [true, level.toLowerCase() || "calm"],
    [technical, "technical"],
    [latched, "latched"],
    [quiet, `quiet ${signal}`],
    [latched || quiet, "steady"],
  ];
  return of.filter(([is]) => is).map(([, name]) => name).join(" ");
}

export class Tile extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    return next.tile !== this.props.tile || next.layout !== this.props.layout;
  }

  override render({ tile, layout }: Props) {
    const classes = ["tile", levelClass(tile), `is-${tile.state}`];
    if (tile.grey) classes.push("is-grey");
    if (tile.unassigned) classes.push("unassigned");
    if (tile.standby) classes.push("standby");
    if (layout.bar < 28) classes.push("small");
    if (!layout.vitals) classes.push("narrow");
    return (
      <article class={classes.join(" ")} tabIndex={0} aria-label={tile.name} data-bed={tile.bed}>
        <Bar tile={tile} />
        <Strip tile={tile} layout={layout} />
        <Numbers tile={tile} layout={layout} />
      </article>
    );
  }
}

/** rings says whether there is a bell: not where nothing could be heard, and not where LOW was heard once. */
function rings(tile: State): boolean {
  return tile.signal !== "sounding" ? !tile.standby || tile.level !== "" : tile.level === "HIGH" || tile.level === "MEDIUM";
}

function Bar({ tile }: { tile: State }) {
  return (
    <header class="bar">
      <span class="bed">{tile.bed}</span>
      <span class="alias">{tile.alias}</span>
      {tile.level ? (
        <>
          <Priority level={tile.level} size={20} />
          <b class="text">{tile.alarm}</b>
          {tile.more > 0 && (
            <b class="more">
              +{tile.more}
              {tile.moreSounds && <Bell signal="sounding" size={18} />}
            </b>
          )}
          <span class="detail whole">{tile.detail}</span>
          <span class="detail short">{tile.shortDetail}</span>
        </>
      ) : (
        <span class="note">{tile.state === "delayed" && tile.note ? `Last known: ${tile.note}` : tile.note}</span>
      )}
      <span class={`right${tile.own ? " own" : ""}`}>
        <span class="whole">{tile.right}</span>
        <span class="short">{tile.short}</span>
      </span>
      {tile.level !== "" && tile.technical && <Plug size={20} />}
      {tile.state === "notlive" ? <WifiOff size={18} /> : rings(tile) && <Bell signal={tile.signal} size={18} />}
    </header>
  );
}

function Strip({ tile, layout }: Props) {
  return (
    <div class="strip" style={{ width: `${layout.stripWidth}px`, height: `${layout.stripHeight}px` }}>
      {tile.box && (
        <div class="box">
          <b>{tile.box}</b>
          {tile.boxDetail && <span>{tile.boxDetail}</span>}
        </div>
      )}
    </div>
  );
}

function Numbers({ tile, layout }: { tile: State; layout: Layout }) {
  const showBattery = layout.limits || (tile.battery >= 0 && tile.battery <= 15);
  return (
    <div class={`numbers${layout.vitals ? " wide" : ""}`}>
      <div class={`rate${tile.cause ? " cause" : ""}${tile.rate.startsWith("–") ? " unknown" : ""}`}>
        <span>{tile.rate}</span>
      </div>
      {layout.limits && (
        <div class="limits">
          <b>{tile.high}</b>
          <b>{tile.low}</b>
          <span>/min</span>
        </div>
      )}
      {layout.vitals && (
        <dl class="vitals">
          <dt>
            SpO<sub>2</sub> %
          </dt>
          <dd>{tile.spo2}</dd>
          <dt>RESP /min</dt>
          <dd>{tile.resp}</dd>
        </dl>
      )}
      <div class="status">
        <Quality bars={tile.quality} />
        {showBattery && <Battery percent={tile.battery} />}
        {showBattery && <span class="percent">{tile.battery < 0 ? "–" : `${tile.battery} %`}</span>}
        <span class="fresh">
          <i class="dot" />
          <span>{tile.fresh}</span>
        </span>
      </div>
    </div>
  );
}
