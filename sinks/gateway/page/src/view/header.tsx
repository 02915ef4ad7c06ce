import type { Ward } from "../messages";
import type { Scale } from "../sweep";
import { timeOfDay } from "../words";
import { Logo, Speaker, SpeakerOff, Wifi, WifiOff } from "./icons";

const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });

function zoneName(at: number): string {
  return zone.formatToParts(at).find((part) => part.type === "timeZoneName")?.value ?? "";
}

export function Header({ ward, scale, sound }: { ward: Ward; scale: Scale; sound: boolean }) {
  return (
    <header class="top">
      <Logo />
      <b class="brand">Heartwire</b>
      <h1>{ward.unit || ward.site}</h1>
      <p class="counts">
        {ward.counts.map(([n, word]) => (
          <span key={word}>
            <b>{n}</b> {word}
          </span>
        ))}
        {ward.beyond > 0 && <span>{ward.beyond} more on another page</span>}
      </p>
      <p class="scale">{scale.speed} mm/s · {scale.gain} mm/mV · scale not calibrated</p>
      <p class="scale device">Not a certified medical device</p>
      <span class={`pill${ward.connected ? "" : " off"}`}>
        {ward.connected ? <Wifi size={18} /> : <WifiOff size={18} />}
        {ward.connected ? "Connected" : "Not connected"}
      </span>
      <span class={`pill${sound ? "" : " off"}`}>
        {sound ? <Speaker size={18} /> : <SpeakerOff size={18} />}
        {sound ? "Sound on" : "No sound"}
      </span>
      <time class="clock">{ward.at === null ? "– –:– –" : timeOfDay(ward.at)}</time>
      <span class="day">
        {ward.at !== null && day.format(ward.at).replace(",", "")}
        <br />
        {ward.at !== null && zoneName(ward.at)}
      </span>
    </header>
  );
}
