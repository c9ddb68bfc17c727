/**
 * A logout that could not be confirmed: its data is gone from this browser, a marker stays, and it is tried again until
 * the server proves it, or until somebody signs in.
 *
 * The marker holds no credential. Nothing here ever says that the session has ended without the server's word.
 */
import { tellOtherTabs } from "./follow.js";
import { SignoffError, prove } from "./prove.js";
import { MARKER, reset, wipeWebStorage } from "./reset.js";
import { attempt, hide, leave, runCallbacks, sameOrigin, settle, shared, within } from "./shared.js";

/** @typedef {import("./types.js").Pending} Pending */

const CALLBACK_MS = 300;
const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 60_000;
/** A timer that is set for longer than 25 days goes off at once. */
const LONGEST_ASKED_MS = 3_600_000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {Promise<Pending | null> | null} */
let retrying = null;
let tries = 0;

/**
 * Runs a callback in every tab when a logout becomes pending, and on every page that is loaded while one is. It is the
 * place to close database connections and to tell the person. By default the page is emptied and shows a notice of the
 * module; a callback that returns a Node has that shown instead, and one that returns `true` keeps the page as it is: it
 * has hidden what there was to hide, and told the person. Register it while the page's scripts are loading.
 * @param {(pending: Pending) => Node | true | void | Promise<Node | true | void>} callback
 * @returns {() => void} Unsubscribes.
 */
export function onPending(callback) {
  shared.tellers.add(callback);
  return () => void shared.tellers.delete(callback);
}

/**
 * The logout that the person asked for and that is not proven: they are still signed in on the server.
 * @returns {Pending | null}
 */
export function pendingLogout() {
  try {
    const pending = JSON.parse(localStorage.getItem(MARKER) ?? "null");
    if (typeof pending?.url === "string" && typeof pending.next === "string" && pending.options) return pending;
  } catch { /* The browser forbids storage, or somebody else wrote there. */ }
  return shared.memory;
}

/**
 * Tries now. It happens by itself when a page is loaded or shown, when the network is back, and ever less often while
 * a page is open.
 * @returns {Promise<Pending | null>} What is still pending.
 */
export function retryPendingLogout() {
  return retrying ??= alone(async () => {
    clearTimeout(timer);
    const pending = pendingLogout();
    if (!pending) return null;
    let id = "";
    try {
      id = (await prove(pending.url)).logout_id;
    } catch (error) {
      const { reason, retryAfter } = /** @type {SignoffError} */ (error);
      // Without a session there is nothing left to end.
      if (reason !== "no-session") {
        schedule(retryAfter);
        return pending;
      }
    }
    await finish(pending, id, !shared.stays);
    return null;
  }).finally(() => void (retrying = null));
}

/**
 * Gives the pending logout up, because the person signs in: a retry would end their new session. Pass the login itself,
 * so that no tab retries while it runs, and so that a login that fails gives nothing up.
 * @template T
 * @param {() => T | Promise<T>} [login] Resolves to something true once the person is signed in.
 * @returns {Promise<T | undefined>}
 */
export function forgetPendingLogout(login) {
  return alone(async () => {
    const done = await login?.();
    if (done || !login) forget();
    return done;
  });
}

function forget() {
  clearTimeout(timer);
  tries = 0;
  shared.memory = null;
  shared.stays = false;
  attempt(() => localStorage.removeItem(MARKER));
}

/**
 * The session is gone. Everything that a logout does in a browser, in order.
 * @param {Pending} pending
 * @param {string} logout_id
 * @param {boolean} leaving
 */
export async function finish({ next, options }, logout_id, leaving) {
  next = sameOrigin(next);
  // The other tabs come first: a database they hold open cannot be deleted, and whatever they still write would land in
  // storage that was already cleared.
  tellOtherTabs({ type: "logout", at: Date.now(), logout_id, next });
  forget();
  if (leaving) hide();
  await within(CALLBACK_MS, runCallbacks({ logout_id, here: true })).catch(() => {});
  const left = await reset(options);
  if (leaving) leave(next, () => wipeWebStorage(options));
  return left;
}

/**
 * Hides and removes the data although nothing is proven, and says so.
 * @param {Pending} pending
 * @param {{ here?: boolean, stays?: boolean, retryAfter?: number }} how `here` is the tab in which the person asked.
 */
export async function pend(pending, { here = false, stays = false, retryAfter }) {
  /** @type {string[]} */
  let left = [];
  const { options } = pending;
  const mark = () => localStorage.setItem(MARKER, JSON.stringify(pending));
  if (here) {
    shared.memory = pending;
    attempt(mark);
    tellOtherTabs({ type: "pending", at: Date.now(), pending });
  }
  if (!stays) hide();
  const told = await within(CALLBACK_MS, settle(shared.tellers, pending)).catch(() => []);
  const answer = told.map((one) => one.status === "fulfilled" && one.value)
    .find((value) => value === true || value instanceof Node);
  shared.stays = stays || answer === true;
  if (here) {
    left = await reset(options);
    // A full storage has room now.
    try { mark(); shared.memory = null; } catch { left.push("marker"); }
  }
  if (!shared.stays) {
    // What the page's own handlers save when it goes; unless somebody has signed in meanwhile, whose data it may be.
    addEventListener("pagehide", () => attempt(() => here && pendingLogout() && wipeWebStorage(options)));
    show(answer ? /** @type {Node} */ (answer) : notice(left));
  }
  hide(false);
  schedule(retryAfter);
  return left;
}

/** @param {Node} node The only thing on the page from now on. */
function show(node) {
  document.title = "";
  document.body.replaceChildren(node);
}

/** @param {string[]} left */
function notice(left) {
  const box = document.createElement("main");
  box.setAttribute("role", "alert");
  /** @type {(tag: string, text: string) => HTMLElement} */
  const add = (tag, text) => {
    const child = document.createElement(tag);
    child.textContent = text;
    box.append(child);
    return child;
  };
  add("h1", "You are still signed in on the server");
  const but = left.length > 0 ? `, except for ${left.join(", ")}` : "";
  add("p", `Your data was removed from this browser${but}. The server has not confirmed that your session ended. We keep trying while this page is open, and when you come back.`);
  add("button", "Try again").onclick = () => void retryPendingLogout();
  add("button", "Stay signed in").onclick = () => void forgetPendingLogout().then(() => location.reload());
  return box;
}

/** @param {number} [seconds] What the server asked to wait. */
function schedule(seconds = 0) {
  clearTimeout(timer);
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries++);
  timer = setTimeout(retryPendingLogout, Math.min(Math.max(wait, seconds * 1_000), LONGEST_ASKED_MS));
}

/**
 * One tab at a time, where the browser can say so: a retry that is on its way while a login is answered would take the
 * new cookie away.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
function alone(work) {
  return globalThis.navigator?.locks ? navigator.locks.request(MARKER, work) : work();
}

function resume() {
  if (shared.resumed || typeof document === "undefined") return;
  shared.resumed = true;
  shared.pend = (pending) => pend(pending, {});
  const retry = () => { if (pendingLogout()) void retryPendingLogout(); };
  addEventListener("online", retry);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") retry(); });
  addEventListener("storage", (event) => {
    if (event.key !== MARKER || event.newValue) return;
    // If the logout was proven, the notice of that comes about now. If not, somebody has signed in, in another tab.
    if (!shared.stays) setTimeout(() => { if (!shared.leaving) location.reload(); }, CALLBACK_MS);
    shared.stays = false;
  });
  if (!pendingLogout()) return;
  hide();
  const start = async () => {
    const pending = pendingLogout();
    if (pending) await pend(pending, {});
    retry();
  };
  // The page's own scripts come first, so that their callbacks are told, and the parser, so that it adds nothing later.
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", () => setTimeout(start));
  else setTimeout(start);
}

resume();
