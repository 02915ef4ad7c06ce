// The alarm rail: worst first. Tiles never move; cards do, but not under a hand.

import type { Level } from "../alarms";
import type { Card as State, Ward } from "../messages";
import { NO_DEVICE } from "../words";
import { Bell, Plug, Priority } from "./icons";
import { levelClass } from "./tile";

const LEVELS: readonly Level[] = ["HIGH", "MEDIUM", "LOW"];

/** A text of more letters than this is written smaller: it is never cut. */
const LONG = 14;

/** fitting keeps every HIGH and as many of the others as there is room for. */
export function fitting(cards: readonly State[], room: number): { kept: State[]; left: string } {
  let others = room - cards.filter((card) => card.level === "HIGH").length;
  const kept = cards.filter((card) => card.level === "HIGH" || others-- > 0);
  const out = cards.filter((card) => !kept.includes(card));
  const left = LEVELS.map((level) => [out.filter((card) => card.level === level).length, level] as const)
    .filter(([n]) => n > 0)
    .map(([n, level]) => `+${n} ${level}`);
  return { kept, left: left.join(", ") };
}

export function Rail({ ward, cards, room, live }: { ward: Ward; cards: readonly State[]; room: number; live: boolean }) {
  const tight = cards.filter((card) => card.level === "HIGH").length > room;
  const { kept, left } = fitting(cards, tight ? 2 * room : room);
  const ended = ward.ended.slice(0, Math.max(0, Math.min(8, (room - kept.length) * 3 - 2)));
  return (
    <aside class="rail" aria-label="Active alarms">
      <h2>
        Active alarms
        <span class="totals">
          {LEVELS.map((level) => {
            const n = cards.filter((card) => card.level === level).length;
            return n > 0 && (
              <span class={level.toLowerCase()} aria-label={`${n} ${level}`}>
                <Priority level={level} size={18} /> {n}
              </span>
            );
          })}
        </span>
      </h2>
      <div class={`cards${tight ? " tight" : ""}`}>
        {kept.map((card) => (
          <Card key={card.id} card={card} />
        ))}
        {left && <p class="left">{left}</p>}
        {cards.length === 0 && (
          <p class="none">
            <b>{live ? "No active alarms" : "No alarm known"}</b>
            <span>{ward.decision}</span>
          </p>
        )}
      </div>
      {ended.length > 0 && (
        <section class="ended">
          <h3>{ward.endedSince ? `Ended since ${ward.endedSince}` : "Ended in the last hour"}</h3>
          {ended.map((alarm) => (
            <p key={alarm.id}>
              <time>{alarm.at}</time>
              <b>{alarm.bed}</b>
              <span>{alarm.text}</span>
            </p>
          ))}
        </section>
      )}
      <footer>
        {cards.length > 0 && <p class="decision">{ward.decision}</p>}
        {ward.loss && <p>{ward.loss}</p>}
        <p>
          <b>{NO_DEVICE[0]}</b>
          {NO_DEVICE[1]}
        </p>
      </footer>
    </aside>
  );
}

function Card({ card }: { card: State }) {
  return (
    <article class={`card ${levelClass(card)}${card.text.length > LONG ? " long" : ""}${card.lastKnown ? " last-known" : ""}`} aria-label={`Bed ${card.bed}, ${card.level}, ${card.text}${card.latched ? ", latched" : ""}${card.signal === "sounding" ? "" : `, ${card.signal}`}`}>
      <header class="bar">
        <Priority level={card.level} size={22} />
        <span class="bed">{card.bed}</span>
        <b class="text">{card.text}</b>
        {card.technical && <Plug size={18} />}
        <span class={`right${card.own ? " own" : ""}`}>
          {card.signal !== "sounding" && <Bell signal={card.signal} size={18} />}
          {card.time}
        </span>
      </header>
      <p>
        <b>{card.alias}</b>. {card.detail} {card.lastKnown && <b>Last known.</b>}
      </p>
    </article>
  );
}
