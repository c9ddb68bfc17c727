// What a bundler makes of the package, and what is in it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "node:test";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** An application that has the package installed, bundled. */
async function bundle(contents) {
  const app = mkdtempSync(join(tmpdir(), "signoff-"));
  try {
    mkdirSync(join(app, "node_modules"));
    symlinkSync(root, join(app, "node_modules", "signoff"));
    const made = await build({
      stdin: { contents, resolveDir: app }, bundle: true, external: ["react"], format: "esm", minifySyntax: true, write: false,
    });
    return made.outputFiles[0].text;
  } finally {
    rmSync(app, { recursive: true });
  }
}

const FOLLOWS = /BroadcastChannel/;
const ASKS = /"X-Signoff"/;
const CLEARS = /deleteDatabase/;
const RETRIES = /signoff:pending/;

test("an application that only listens does not carry the logout", async () => {
  const text = await bundle(`import { onLogout } from "signoff"; onLogout(close);`);
  assert.match(text, FOLLOWS);
  for (const part of [ASKS, CLEARS, RETRIES, /logout\/everywhere/]) assert.doesNotMatch(text, part);
});

test("a bare import is enough to follow other tabs", async () => {
  const text = await bundle(`import "signoff";`);
  assert.match(text, FOLLOWS);
  assert.doesNotMatch(text, ASKS);
});

test("a page that can log out, or asks what is pending, has the retry", async () => {
  for (const name of ["logout", "pendingLogout"]) {
    const text = await bundle(`import { ${name} } from "signoff"; ${name}();`);
    for (const part of [FOLLOWS, ASKS, CLEARS, RETRIES]) assert.match(text, part);
  }
  assert.doesNotMatch(await bundle(`import { pendingLogout } from "signoff"; pendingLogout();`), /logout\/everywhere/);
});

test("the package has the files that it needs, and no others", () => {
  const [{ files }] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: root, encoding: "utf8" }));
  const names = ["follow", "index", "logout", "pending", "prove", "react", "reset", "shared"];
  const expected = [
    "README.md", "package.json", "signoff.min.js", "types/types.d.ts",
    ...names.flatMap((name) => [`src/${name}.js`, `types/${name}.d.ts`]),
  ];
  assert.deepEqual(files.map((file) => file.path).sort(), expected.sort());
});

test("an application that only listens leaves when another tab has an unconfirmed logout", async () => {
  const text = await bundle(`import { onLogout } from "signoff"; onLogout((event) => heard.push(event));`);
  const heard = [];
  const went = [];
  const page = { hidden: false, style: { setProperty() {} } };
  let channel;
  const location = { href: "https://bank.example/", origin: "https://bank.example", protocol: "https:", replace: (to) => went.push(to) };
  const document = { documentElement: page, addEventListener() {} };
  const run = new Function("globalThis", "document", "location", "BroadcastChannel", "addEventListener", "sessionStorage", "heard", text);
  run({}, document, location, class { constructor() { channel = this; } }, () => {}, { clear() {} }, heard);
  channel.onmessage({ data: { type: "pending", at: 1, pending: { next: "https://evil.example/", url: "/logout", options: {} } } });
  assert.deepEqual([page.hidden, went, heard], [true, ["https://bank.example/"], []]);
  channel.onmessage({ data: { type: "logout", at: 2, logout_id: "1", next: "/bye" } });
  assert.deepEqual(heard, [{ logout_id: "1", here: false }]);
});
