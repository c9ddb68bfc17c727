/**
 * What all parts of the module share: one state per page, and the ways in which a page is hidden and left.
 *
 * Nothing here asks the server or clears more than this tab's own storage.
 */

/** @typedef {import("./types.js").LogoutEvent} LogoutEvent */
/** @typedef {import("./types.js").Notice} Notice */
/** @typedef {import("./types.js").Pending} Pending */

/**
 * A page that loads the module under two addresses gets two instances. They share one state, so a callback registered
 * with either is always run.
 * @type {{
 *   callbacks: Set<(event: LogoutEvent) => unknown>,
 *   tellers: Set<(pending: Pending) => unknown>,
 *   channel: BroadcastChannel | null,
 *   running: { url: string, promise: Promise<any> } | null,
 *   handled: string,
 *   installed: boolean,
 *   resumed: boolean,
 *   stays: boolean,
 *   leaving: boolean,
 *   memory: Pending | null,
 *   pend: ((pending: Pending) => unknown) | null,
 * }}
 */
export const shared = (/** @type {any} */ (globalThis)[Symbol.for("signoff.client")] ??= {
  callbacks: new Set(), tellers: new Set(), channel: null, running: null, handled: "", installed: false,
  resumed: false, stays: false, leaving: false, memory: null, pend: null,
});

/** @param {() => unknown} work Something the browser may forbid, storage for example. */
export function attempt(work) {
  try { work(); } catch { /* The remaining steps matter more than this one. */ }
}

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export function within(ms, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("time limit")), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** @param {boolean} hidden */
export function hide(hidden = true) {
  const root = document.documentElement;
  root.hidden = hidden;
  // A page's own `display` rule would beat the attribute. A strict CSP forbids style attributes in markup but allows
  // this property.
  if (hidden) root.style.setProperty("display", "none", "important");
  else root.style.removeProperty("display");
}

/** @param {string} address */
export function sameOrigin(address) {
  try {
    const url = new URL(address, location.href);
    // blob: addresses share our origin, so the scheme is compared as well.
    if (url.origin === location.origin && url.protocol === location.protocol) return url.href;
  } catch { /* Not an address at all. */ }
  return new URL("/", location.href).href;
}

/**
 * @param {string} next
 * @param {() => void} wipe
 */
export function leave(next, wipe) {
  shared.leaving = true;
  // Registered last, this runs after the page's own handlers that save state.
  addEventListener("pagehide", () => attempt(wipe));
  location.replace(next);
  // A change of fragment alone keeps the document, with everything it shows.
  const [path] = location.href.split("#");
  if (next.includes("#") && next.split("#")[0] === path) location.reload();
}

/** @param {LogoutEvent} event */
export function runCallbacks(event) {
  return settle(shared.callbacks, event);
}

/**
 * Each callback runs inside its own promise, so that one that throws stops no other; an async function runs
 * synchronously up to its first await.
 * @template T
 * @param {Set<(value: T) => unknown>} callbacks
 * @param {T} value
 */
export function settle(callbacks, value) {
  return Promise.allSettled([...callbacks].map(async (callback) => callback(value)));
}
