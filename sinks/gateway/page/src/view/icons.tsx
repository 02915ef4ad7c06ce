// Shapes. Never colour alone: each priority has its own.

import type { JSX } from "preact";
import type { Level } from "../alarms";
import type { Signal } from "../quiet";

interface IconProps {
  size: number;
  class?: string;
}

function Svg({ size, class: name, box = 20, children }: IconProps & { box?: number; children: JSX.Element | JSX.Element[] }) {
  return (
    <svg class={name} width={size} height={size} viewBox={`0 0 ${box} ${box}`} aria-hidden="true" fill="none">
      {children}
    </svg>
  );
}

/** HIGH octagon !!!, MEDIUM triangle !!, LOW ring !. */
export function Priority({ level, size }: { level: Level; size: number }) {
  const mark = (x: number, top: number, bottom: number) => [
    <line x1={x} y1={top} x2={x} y2={bottom - 3.6} />,
    <line x1={x} y1={bottom - 0.7} x2={x} y2={bottom} />,
  ];
  switch (level) {
    case "HIGH":
      return (
        <Svg size={size} class="symbol high">
          <path class="shape" d="M6 0.5h8L19.5 6v8L14 19.5H6L0.5 14V6z" />
          <g class="marks" stroke-width="2" stroke-linecap="butt">{[6.2, 10, 13.8].flatMap((x) => mark(x, 4.6, 15.4))}</g>
        </Svg>
      );
    case "MEDIUM":
      return (
        <Svg size={size} class="symbol medium">
          <path class="shape" d="M10 1 19.6 18.6H0.4z" />
          <g class="marks" stroke-width="1.9">{[8.1, 11.9].flatMap((x) => mark(x, 7.4, 16.4))}</g>
        </Svg>
      );
    default:
      return (
        <Svg size={size} class="symbol low">
          <circle class="ring" cx="10" cy="10" r="8.6" stroke-width="1.8" />
          <g class="marks" stroke-width="2">{mark(10, 5, 15)}</g>
        </Svg>
      );
  }
}

const line = { stroke: "currentColor", "stroke-width": 1.6, "stroke-linecap": "round", "stroke-linejoin": "round" } as const;

/** A technical alarm. */
export const Plug = ({ size }: IconProps) => (
  <Svg size={size}>
    <path {...line} d="M1.5 10H6M6 5.5v9M6 5.5h2.5a4.5 4.5 0 0 1 0 9H6M13.5 8H17M13.5 12H17M15.2 5.5v9" />
  </Svg>
);

const bell = "M5.2 13.6V9a4.8 4.8 0 0 1 9.6 0v4.6l1.4 1.8H3.8zM8.4 17.6h3.2";

/** How an alarm is to be heard: a bell that rings, one with a tick, one that is crossed. */
export function Bell({ signal, size }: { signal: Signal; size: number }) {
  const marks: Record<Signal, string> = { sounding: "M3 3.4 1.4 6M17 3.4 18.6 6", acknowledged: "M7.6 10.4l1.7 1.8 3.2-3.9", paused: "M2.6 2.2 17.4 18" };
  return (
    <Svg size={size} class={`bell ${signal}`}>
      <path {...line} d={bell + marks[signal]} />
    </Svg>
  );
}

export const Wifi = ({ size }: IconProps) => (
  <Svg size={size}>
    <path {...line} d="M2.2 8.2a11 11 0 0 1 15.6 0M5 11.2a7 7 0 0 1 10 0M7.8 14a3 3 0 0 1 4.4 0M10 16.6h.01" />
  </Svg>
);

export const WifiOff = ({ size }: IconProps) => (
  <Svg size={size}>
    <path {...line} d="M2.2 8.2a11 11 0 0 1 5-2.8M10.6 5a11 11 0 0 1 7.2 3.2M5 11.2a7 7 0 0 1 4-2M12.6 9.7a7 7 0 0 1 2.4 1.5M7.8 14a3 3 0 0 1 4.4 0M10 16.6h.01M3 2.6 17 17" />
  </Svg>
);

export const Speaker = ({ size }: IconProps) => (
  <Svg size={size}>
    <path d="M2 7.5h3.4L10 3.6v12.8l-4.6-3.9H2z" fill="currentColor" />
    <path {...line} d="M12.8 7.2a4 4 0 0 1 0 5.6M15.2 4.8a7.4 7.4 0 0 1 0 10.4" />
  </Svg>
);

export const SpeakerOff = ({ size }: IconProps) => (
  <Svg size={size}>
    <path d="M2 7.5h3.4L10 3.6v12.8l-4.6-3.9H2z" fill="currentColor" />
    <path {...line} d="m13 7.8 4.4 4.4M17.4 7.8 13 12.2" />
  </Svg>
);

/** Bars of signal quality, 0 to 4. */
export const Quality = ({ bars }: { bars: number }) => (
  <svg class="quality" width="17" height="13" viewBox="0 0 17 13" role="img" aria-label={`Signal quality ${bars} of 4`}>
    {[0, 1, 2, 3].map((i) => (
      <rect class={i < bars ? "on" : ""} x={i * 4.4 + 0.5} y={9 - i * 2.9 + 0.5} width="2.8" height={3 + i * 2.9} rx="0.6" />
    ))}
  </svg>
);

/** Battery with its level; per cent -1 is unknown. */
export const Battery = ({ percent }: { percent: number }) => (
  <svg class={`battery${percent >= 0 && percent <= 15 ? " low" : ""}`} width="25" height="13" viewBox="0 0 25 13" aria-hidden="true">
    <rect class="case" x="0.7" y="0.7" width="20.6" height="11.6" rx="2.6" />
    <rect class="level" x="2.6" y="2.6" width={Math.max(0, (16.8 * percent) / 100)} height="7.8" rx="1" />
    <path class="tip" d="M22.8 4.2c1.2.3 1.2 4.3 0 4.6z" />
  </svg>
);

export const Logo = () => (
  <svg class="logo" width="32" height="24" viewBox="0 0 32 24" aria-hidden="true">
    <path d="M2 14h6l2.5-3.5L14 20l4-16 3 10h9" />
  </svg>
);
