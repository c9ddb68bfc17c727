// Makes signoff.min.js of src/. Its first line has the hash of the sources, so that a test without npm can tell whether
// it was forgotten.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const folder = new URL("./", import.meta.url);
const hash = createHash("sha256");
const sources = readdirSync(new URL("src/", folder)).filter((name) => name.endsWith(".js") && name !== "react.js").sort();
for (const name of sources) hash.update(readFileSync(new URL(`src/${name}`, folder)));
const { outputFiles: [made] } = await build({
  absWorkingDir: decodeURIComponent(folder.pathname),
  entryPoints: ["src/index.js"],
  bundle: true,
  charset: "utf8",
  format: "esm",
  legalComments: "none",
  minify: true,
  target: "es2022",
  write: false,
});
const { version, license } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
const text = `/* signoff ${version}, ${license}; sources sha256:${hash.digest("hex")} */\n${made.text}`;
writeFileSync(new URL("signoff.min.js", folder), text);
// tsc writes the other declarations; this one is written by hand.
copyFileSync(new URL("src/types.d.ts", folder), new URL("types/types.d.ts", folder));
console.log(`signoff.min.js: ${text.length} bytes, ${gzipSync(text, { level: 9 }).length} compressed`);
