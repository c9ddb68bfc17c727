/**
 * What just happened: the four steps of a logout, each with what this page can see of it for itself.
 *
 * A tick stands before what this page has looked at or was told by the bank. Whoever comes here by the address alone is
 * told what a logout does, and not that one took place.
 */
import { frontPage, ready, signedOut } from "/assets/attacker.js";
import { byId, call, el, takeReceipt } from "/assets/common.js";

const clock = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

/** Adds a proof to a step, or puts it in the place of an older one: what was looked at, what was found, and in a word whether that is as it should be. */
function prove(step, what, found, good) {
  const list = byId(`${step}-proof`);
  const row = el("div", good === false ? "bad" : good ? "good" : "", el("dt", "", what),
    el("dd", "", good === undefined ? "" : good ? "✓ " : "✗ ", found));
  const old = [...list.children].find((child) => child.firstChild.textContent === what);
  if (old) old.replaceWith(row);
  else list.append(row);
}

function proveDestroyed() {
  // The history keeps it for a reload.
  const receipt = takeReceipt() ?? history.state?.receipt;
  if (!receipt) return prove("destroyed", "Receipt", "This page has none: it comes with a logout by script. The same id is in the audit trail.");
  history.replaceState({ receipt }, "");
  prove("destroyed", "Time", clock.format(receipt.at), true);
  if (receipt.id) prove("destroyed", "Logout id", el("code", "", receipt.id), true);
}

async function proveRevoked() {
  try {
    const { nodes } = await (await call("GET", "/demo/state")).json();
    const ready = nodes.filter((node) => node.may_answer).length;
    prove("revoked", "Nodes", nodes.length === 1 ? "The only node refuses them, from memory." : `Each of the ${ready} of ${nodes.length} nodes that may answer refuses them, from memory.`);
  } catch {
    prove("revoked", "Nodes", "The bank could not be asked.");
  }
  prove("revoked", "Captured token", byId("replay-step").hidden
    ? "None was captured. Capture one the next time, and replay it here."
    : "Press “Replay” in the thief’s panel: the answer is 401.");
}

async function proveCleared() {
  const visible = document.cookie.split("; ").map((pair) => pair.split("=")[0]).filter(Boolean);
  prove("cleared", "document.cookie", visible.length === 0
    ? "Empty. The session cookie is HttpOnly, so it was never visible here."
    : `Only ${visible.join(", ")}. The session cookie is HttpOnly, so it was never visible here.`, !visible.some((name) => name.includes("signoff")));
  try {
    const { status } = await call("GET", "/api/me");
    prove("cleared", "GET /api/me", `${status}${status === 401 ? ": the bank knows nobody in this browser" : ""}`, status === 401);
  } catch {
    prove("cleared", "GET /api/me", "no answer");
  }
}

/** Counts what this origin still keeps here, or "?" where the browser will not say. */
async function leftovers() {
  const count = async (read) => {
    try { return String(await read()); } catch { return "?"; }
  };
  return [
    ["Local keys", await count(() => localStorage.length)],
    ["Session keys", await count(() => sessionStorage.length)],
    ["Databases", await count(async () => (await indexedDB.databases()).length)],
    ["Caches", await count(async () => (await caches.keys()).length)],
  ];
}

async function proveReset() {
  for (const [name, value] of await leftovers()) byId("leftovers").append(el("div", "", el("dt", "", name), el("dd", "", value)));
  const theme = document.documentElement.dataset.theme;
  byId("kept").textContent = theme ? "Kept, on purpose: your theme, in a cookie of its own." : "Kept: nothing.";
}

byId("sign-in-again").href = frontPage();
if (signedOut) {
  byId("signed-out-banner").hidden = false;
  // A hard navigation drops the focus; a screen reader starts at the news.
  byId("signed-out-banner").focus({ preventScroll: true });
} else {
  byId("happened-title").textContent = "What a logout does";
}
proveDestroyed();
await ready;
const proved = Promise.all([proveRevoked(), proveCleared(), proveReset()]);
document.addEventListener("replayed", async ({ detail }) => {
  await proved;
  prove("revoked", "Captured token", detail.text, detail.tone === "unclear" ? undefined : detail.tone === "kept-out");
});
await proved;
document.body.dataset.ready = "true";
