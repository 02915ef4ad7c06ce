// Builds dist/, which is committed and embedded in the binary: the same
// sources give the same bytes. With --tests it bundles tests/ into build/.
import { build } from "esbuild";
import { copyFile, mkdir, readdir, rm } from "node:fs/promises";

const here = new URL("./", import.meta.url).pathname;
const common = {
  absWorkingDir: here,
  bundle: true,
  charset: "utf8",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
  target: ["es2022"],
};

if (process.argv.includes("--tests")) {
  await rm(`${here}build`, { recursive: true, force: true });
  const tests = (await readdir(`${here}tests`)).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...common,
    entryPoints: tests.map((name) => `tests/${name}`),
    outdir: "build/tests",
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
  });
} else {
  const dist = `${here}dist`;
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist);
  await build({
    ...common,
    entryPoints: ["src/main.tsx", "src/worker.ts", "src/style.css"],
    outdir: "dist",
    external: ["inter.woff2"],
    format: "iife",
    minify: true,
  });
  for (const name of await readdir(`${here}static`)) await copyFile(`${here}static/${name}`, `${dist}/${name}`);
  const inter = `${here}node_modules/@fontsource-variable/inter`;
  await copyFile(`${inter}/files/inter-latin-wght-normal.woff2`, `${dist}/inter.woff2`);
  await copyFile(`${inter}/LICENSE`, `${dist}/inter.LICENSE.txt`);
}
