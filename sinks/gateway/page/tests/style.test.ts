import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const style = readFileSync("src/style.css", "utf8");

/** Tokens of a rule by name. */
function tokens(selector: string): Map<string, string> {
  const rule = style.slice(style.indexOf(`${selector} {`));
  return new Map([...rule.slice(0, rule.indexOf("}")).matchAll(/--([\w-]+): (#[0-9a-f]{6})/g)].map((match) => [match[1]!, match[2]!]));
}

/** Contrast of two colours as WCAG 2.2 defines it. */
function contrast(a: string, b: string): number {
  const light = (hex: string) => {
    const [r, g, blue] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * blue!;
  };
  const [x, y] = [light(a), light(b)].sort((one, other) => other - one);
  return (x! + 0.05) / (y! + 0.05);
}

const day = tokens(":root");
const night = new Map([...day, ...tokens(":root[data-night]")]);

test("text stands out from what is behind it, by day and by night", () => {
  for (const [name, theme] of [["day", day], ["night", night]] as const) {
    for (const [text, behind] of [
      ["text-1", "tile"], ["text-2", "tile"], ["text-3", "tile"], ["text-2", "tile-bar"], ["text-1", "page"], ["text-2", "page"], ["text-3", "page"],
      ["trace", "tile"], ["trace", "tile-high"], ["stale", "tile"], ["pace", "tile"], ["link", "tile"], ["text-3", "tile-high"],
      ["on-high", "high"], ["on-high", "high-dim"], ["on-latched", "latched"], ["medium", "quiet"], ["high-text", "tile-high"], ["on-medium", "medium"], ["medium", "medium-dim"],
      ["medium", "technical-1"], ["medium", "technical-2"], ["low", "low-bar"], ["high-text", "page"], ["on-own", "own"],
    ] as const) {
      const found = contrast(theme.get(text)!, theme.get(behind)!);
      assert.ok(found >= 4.5, `${text} on ${behind} by ${name}: ${found.toFixed(2)}`);
    }
    assert.ok(contrast(theme.get("high")!, theme.get("tile")!) >= 3, "the border of HIGH");
  }
});

test("the plan's contrasts hold", () => {
  for (const [text, behind, least] of [["text-1", "tile", 17], ["text-2", "tile", 9.4], ["text-3", "tile", 5.9], ["trace", "tile", 10.8], ["on-medium", "medium", 13.1], ["on-latched", "latched", 13.1], ["stale", "tile", 5.9]] as const) {
    assert.ok(contrast(day.get(text)!, day.get(behind)!) >= least - 0.1, `${text} on ${behind}: ${contrast(day.get(text)!, day.get(behind)!).toFixed(2)}`);
  }
});

test("night dims no alarm", () => {
  for (const name of ["high", "high-dim", "on-high", "medium", "medium-dim", "on-medium", "low", "latched", "quiet", "technical-1", "own"]) {
    assert.equal(night.get(name), day.get(name), name);
  }
});
