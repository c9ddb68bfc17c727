/**
 * Keeps the session alive while somebody is looking, and shows it. The server renews the cookie by itself in the answer to
 * any request of a token past half of its life; so one request at that time is all it takes.
 *
 * Of several tabs one asks, and all show: the one that has the lock. A hidden tab gives the lock away, and a tab that nobody
 * has touched for a while does not ask, because a page that polls for ever has no idle end.
 */
import { onLogout } from "/signoff.js";
import { byId, call } from "/assets/common.js";

const IDLE_MS = 10 * 60_000;
const TAB = "bank:tab:";
const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const channel = new BroadcastChannel("bank:renewal");
const id = crypto.randomUUID?.() ?? String(Math.random());
let touched = Date.now();
let known = null;
let stopped = new AbortController();

async function tabs() {
  const { held } = await navigator.locks.query();
  return Math.max(1, held.filter((lock) => lock.name.startsWith(TAB)).length);
}

async function show() {
  if (!known) return;
  const count = navigator.locks ? await tabs() : 1;
  const what = known.renewed ? "Session renewed at" : "Session checked at";
  byId("renewal").textContent = `${what} ${clock.format(known.at)}, ${count} ${count === 1 ? "tab" : "tabs"}`;
  byId("renewal").dataset.renewed = String(known.renewed);
  byId("renewal").dataset.tabs = String(count);
}

/** Asks how old the token is. Returns how long to wait until the next look. */
async function look() {
  const res = await call("GET", "/api/me");
  if (!res.ok) return res.status === 401 ? null : 5_000;
  const { issued_at_ms, expires_at_ms } = await res.json();
  const renewed = known !== null && issued_at_ms > known.issued;
  if (!known || renewed) {
    known = { issued: issued_at_ms, at: renewed ? issued_at_ms : Date.now(), renewed: renewed || Boolean(known?.renewed) };
    channel.postMessage(known);
    void show();
  }
  const half = issued_at_ms + (expires_at_ms - issued_at_ms) / 2;
  // The first request past the half brings the new token; the next one tells of it.
  return Math.min(60_000, Math.max(1_000, half - Date.now()));
}

function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

async function lead(signal) {
  while (!signal.aborted) {
    let wait = 5_000;
    try {
      if (Date.now() - touched < IDLE_MS) wait = await look();
    } catch { /* Off line: the next look may find the network again. */ }
    // The session is over; the page finds out, and leaves, with what the person does next.
    if (wait === null) return;
    await sleep(wait, signal);
  }
}

/** Until the tab is hidden, put away or logged out. */
function start() {
  if (document.hidden) return;
  stopped = new AbortController();
  const { signal } = stopped;
  const held = () => lead(signal);
  if (navigator.locks) navigator.locks.request("bank:renewal", { signal }, held).catch(() => {});
  else void held();
}

/** A lock that only says that this tab is there. */
function count() {
  const gone = new AbortController();
  const leave = () => { stopped.abort(); gone.abort(); channel.postMessage("tabs"); };
  // A page with a lock, or with a timer that goes on, does not belong in the back/forward cache.
  addEventListener("pagehide", leave);
  onLogout(leave);
  const until = new Promise((resolve) => gone.signal.addEventListener("abort", resolve));
  return navigator.locks?.request(TAB + id, () => {
    channel.postMessage("tabs");
    void show();
    return until;
  });
}

channel.onmessage = ({ data }) => {
  if (typeof data?.issued === "number" && (!known || data.issued >= known.issued)) known = data;
  // A tab that is going holds its lock for a moment more.
  setTimeout(show, 100);
};
for (const event of ["pointerdown", "keydown"]) addEventListener(event, () => { touched = Date.now(); }, { passive: true });
document.addEventListener("visibilitychange", () => { stopped.abort(); start(); });
void count();
start();
