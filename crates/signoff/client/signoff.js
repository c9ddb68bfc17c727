/**
 * signoff.js: the browser's half of a logout.
 *
 * It asks the server to end the session, checks that the answer proves the
 * session is gone, and only then resets this browser: the other tabs are told,
 * then Web Storage, IndexedDB, Cache Storage and service workers are cleared,
 * then the page is left with a hard navigation. Importing the module is enough
 * to make a tab follow a logout that happens in another one and to keep pages
 * of an ended session from coming back out of the back/forward cache.
 *
 * What it deliberately does not do:
 * - It never stores or reads a credential. The cookie is HttpOnly and stays so.
 * - It never purges without proof. An offline or unconfirmed logout rejects and
 *   changes nothing, because a page that looks signed out while the session
 *   lives on is the worse failure. Purging anyway is not in this version.
 * - It leaves origin-private files to the server's Clear-Site-Data header, which
 *   reaches things a script cannot, and cookies to whoever has set them.
 */

const CHANNEL = "signoff";
const PING = "signoff:logout";
const REQUEST_MS = 10_000;
const CALLBACK_MS = 300;
const DATABASE_MS = 1_000;
const RESET_MS = 1_700;

/** @typedef {"offline"|"timeout"|"unavailable"|"refused"|"no-session"|"unproven"} Reason */
/** @typedef {{ status: "destroyed", session: true, tokens: true, logout_id: string }} Proof */
/** @typedef {Proof & { left: string[] }} Outcome `left` names what could not be cleared in time. */
/** @typedef {{ logout_id: string, here: boolean }} LogoutEvent `here` is true in the tab that asked. */
/** @typedef {{ type: "logout", logout_id: string, next: string }} Notice */
/**
 * @typedef {object} Options
 * @property {string} [url] Where to POST. Must be on this origin.
 * @property {string} [next] Where every tab goes afterwards. Anything off this origin becomes "/".
 * @property {boolean} [navigate] False keeps this tab where it is.
 * @property {number} [timeout] Milliseconds to wait for the whole answer.
 * @property {string[]} [keep] localStorage keys that survive, a colour theme for example.
 * @property {string[]} [databases] IndexedDB names, for browsers that cannot list them.
 * @property {boolean} [serviceWorkers] False leaves service workers registered.
 */

/** @type {Record<Reason, string>} */
const MESSAGES = {
  offline: "The server could not be reached, so you are still signed in. Nothing was cleared.",
  timeout: "The server did not answer in time. Treat yourself as still signed in. Nothing was cleared.",
  unavailable: "The server could not end your session just now, so you are still signed in. Nothing was cleared.",
  refused: "The logout was refused, so you are still signed in. Nothing was cleared.",
  "no-session": "There was no session to end. Nothing was cleared.",
  unproven: "The answer did not prove that your session ended. Treat yourself as still signed in. Nothing was cleared.",
};

/** Why a logout was not proven. When this is thrown, nothing has been cleared. */
export class SignoffError extends Error {
  /**
   * @param {Reason} reason
   * @param {{ status?: number, retryAfter?: number, message?: string, cause?: unknown }} [details]
   */
  constructor(reason, details = {}) {
    super(details.message ?? MESSAGES[reason], { cause: details.cause });
    this.name = "SignoffError";
    this.reason = reason;
    /** The HTTP status, or 0 when there was no answer to read. */
    this.status = details.status ?? 0;
    /** Seconds the server asked to wait, when it said so. */
    this.retryAfter = details.retryAfter;
  }
}

/**
 * A page that loads this file under two addresses gets two module instances.
 * They share one state, so a callback registered with either is always run.
 * @type {{ callbacks: Set<(event: LogoutEvent) => unknown>, channel: BroadcastChannel | null,
 *   running: { url: string, promise: Promise<Outcome> } | null, handled: string, installed: boolean }}
 */
const shared = (/** @type {any} */ (globalThis)[Symbol.for("signoff.client")] ??= {
  callbacks: new Set(), channel: null, running: null, handled: "", installed: false,
});

/**
 * Ends this session. Rejects with a SignoffError unless its destruction is proven.
 * @param {Options} [options]
 */
export const logout = (options = {}) => end(options.url ?? "/logout", options);

/**
 * Ends every session of this person.
 * @param {Options} [options]
 */
export const logoutEverywhere = (options = {}) => end(options.url ?? "/logout/everywhere", options);

/**
 * Runs a callback in every open tab once a logout is proven and before anything
 * is cleared. It is the place to close database connections and to stop timers
 * that would write state back.
 * @param {(event: LogoutEvent) => unknown} callback
 * @returns {() => void} Unsubscribes.
 */
export function onLogout(callback) {
  shared.callbacks.add(callback);
  return () => void shared.callbacks.delete(callback);
}

/**
 * @param {string} url
 * @param {Options} options
 * @returns {Promise<Outcome>}
 */
function end(url, options) {
  if (shared.running) {
    if (shared.running.url === url) return shared.running.promise;
    // Sharing the answer would pass "this session" off as "every session", and
    // racing the two would let the first navigation cut the second one short.
    return Promise.reject(new SignoffError("refused", { message: "Another logout is already under way." }));
  }
  const promise = run(url, options);
  shared.running = { url, promise };
  const release = () => void (shared.running = null);
  // A tab that is leaving stays busy, so that a late click cannot post again.
  promise.then(options.navigate === false ? release : undefined, release);
  return promise;
}

/**
 * @param {string} url
 * @param {Options} options
 * @returns {Promise<Outcome>}
 */
async function run(url, options) {
  const proof = await prove(url, options.timeout ?? REQUEST_MS);
  const next = sameOrigin(options.next ?? "/");
  const keep = new Set(options.keep ?? []);
  const leaving = options.navigate !== false;

  // The other tabs come first: a database they hold open cannot be deleted, and
  // whatever they still write would land in storage that was already cleared.
  shared.handled = proof.logout_id;
  tellOtherTabs({ type: "logout", logout_id: proof.logout_id, next });
  if (leaving) hide();
  await within(CALLBACK_MS, runCallbacks({ logout_id: proof.logout_id, here: true })).catch(() => {});

  const left = await reset(keep, options.databases ?? [], options.serviceWorkers ?? true);
  if (left.length > 0) console.warn("signoff: not cleared in time:", left.join(", "));
  if (leaving) leave(next, () => wipeWebStorage(keep));
  return { ...proof, left };
}

/**
 * Only one answer counts: our own server's JSON saying what was destroyed. A
 * captive portal also answers 200, and so does the login page after a redirect.
 * @param {string} url
 * @param {number} limit
 * @returns {Promise<Proof>}
 */
async function prove(url, limit) {
  const controller = new AbortController();
  // The timer also covers the body, which can stall after good-looking headers.
  const timer = setTimeout(() => controller.abort(), limit);
  let status = 0;
  try {
    const res = await fetch(url, {
      method: "POST",
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      // For servers that want proof that no plain form on another site sent this.
      headers: { Accept: "application/json", "X-Signoff": "1" },
      signal: controller.signal,
    });
    status = res.status;
    if (status === 503) throw new SignoffError("unavailable", { status, retryAfter: retryAfter(res) });
    if (status === 401) throw new SignoffError("no-session", { status });
    if ([400, 403, 405].includes(status)) throw new SignoffError("refused", { status });
    const json = /^application\/json\s*(;|$)/i.test(res.headers.get("Content-Type") ?? "");
    if (!res.ok || status !== 200 || res.type !== "basic" || res.redirected || !json) {
      throw new SignoffError("unproven", { status });
    }
    const body = await res.json();
    if (body?.status !== "destroyed" || body.session !== true || body.tokens !== true ||
        typeof body.logout_id !== "string" || body.logout_id === "") {
      throw new SignoffError("unproven", { status });
    }
    return body;
  } catch (cause) {
    if (cause instanceof SignoffError) throw cause;
    if (controller.signal.aborted) throw new SignoffError("timeout", { status, cause });
    if (cause instanceof SyntaxError) throw new SignoffError("unproven", { status, cause });
    // fetch reports a lost network and a forbidden redirect with the same error.
    throw new SignoffError("offline", { status, cause });
  } finally {
    clearTimeout(timer);
    // An answer that was rejected by its headers may still be sending a body.
    controller.abort();
  }
}

/**
 * Retry-After is either a number of seconds or a date.
 * @param {Response} res
 */
function retryAfter(res) {
  const value = (res.headers.get("Retry-After") ?? "").trim();
  if (/^\d+$/.test(value)) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - Date.now()) / 1000));
}

/** @param {Notice} notice */
function tellOtherTabs(notice) {
  attempt(() => shared.channel?.postMessage(notice));
  // The storage event is the fallback. It never fires in the tab that writes,
  // and the key must not stay behind, so it is removed at once.
  attempt(() => {
    localStorage.setItem(PING, JSON.stringify(notice));
    localStorage.removeItem(PING);
  });
}

/** @param {LogoutEvent} event */
function runCallbacks(event) {
  // Each runs inside its own promise, so that one that throws stops no other;
  // an async function runs synchronously up to its first await.
  return Promise.allSettled([...shared.callbacks].map(async (callback) => callback(event)));
}

/**
 * Clears what the browser holds for this origin. Every step is independent, and
 * the whole is bounded, because a stuck database must not keep the page open.
 * @param {Set<string>} keep
 * @param {string[]} databases
 * @param {boolean} serviceWorkers
 * @returns {Promise<string[]>} The steps that did not finish.
 */
async function reset(keep, databases, serviceWorkers) {
  /** @type {Set<string>} */
  const left = new Set();
  /** @type {(name: string, work: () => unknown) => Promise<unknown>} */
  const step = async (name, work) => {
    left.add(name);
    await work();
    left.delete(name);
  };
  await within(RESET_MS, Promise.allSettled([
    step("webStorage", () => wipeWebStorage(keep)),
    step("indexedDB", () => deleteDatabases(databases)),
    step("cacheStorage", async () => {
      if (!("caches" in globalThis)) return;
      await all((await caches.keys()).map((name) => caches.delete(name)));
    }),
    step("serviceWorkers", async () => {
      if (!serviceWorkers || !navigator.serviceWorker) return;
      await all((await navigator.serviceWorker.getRegistrations()).map((worker) => worker.unregister()));
    }),
  ])).catch(() => {});
  return [...left];
}

/** @param {Set<string>} keep */
function wipeWebStorage(keep) {
  // sessionStorage goes first and alone: blocked localStorage must not save it.
  attempt(() => sessionStorage.clear());
  for (let i = localStorage.length - 1; i >= 0; i--) {
    const key = localStorage.key(i);
    if (key !== null && !keep.has(key)) localStorage.removeItem(key);
  }
}

/** @param {string[]} extra */
async function deleteDatabases(extra) {
  if (!globalThis.indexedDB) return;
  const names = new Set(extra);
  if (indexedDB.databases) {
    const listed = await within(500, indexedDB.databases()).catch(() => []);
    for (const { name } of listed) if (name !== undefined) names.add(name);
  }
  // A delete stays "blocked" for as long as any tab keeps a connection open, so
  // each one gets its own limit and none waits for another.
  await all([...names].map((name) => within(DATABASE_MS, new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = resolve;
    request.onerror = () => reject(request.error);
  }))));
}

/**
 * Waits for every promise before it reports a failure, unlike Promise.all.
 * @param {Promise<unknown>[]} promises
 */
async function all(promises) {
  const failed = (await Promise.allSettled(promises)).find((result) => result.status === "rejected");
  if (failed) throw /** @type {PromiseRejectedResult} */ (failed).reason;
}

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function within(ms, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("time limit")), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** @param {() => unknown} work Something the browser may forbid, storage for example. */
function attempt(work) {
  try { work(); } catch { /* The remaining steps matter more than this one. */ }
}

function hide() {
  document.documentElement.hidden = true;
  // A page's own `display` rule would beat the attribute. A strict CSP forbids
  // style attributes in markup but allows this property.
  document.documentElement.style.setProperty("display", "none", "important");
}

/** @param {string} next */
function sameOrigin(next) {
  try {
    const url = new URL(next, location.href);
    // blob: addresses share our origin, so the scheme is compared as well.
    if (url.origin === location.origin && url.protocol === location.protocol) return url.href;
  } catch { /* Not an address at all. */ }
  return new URL("/", location.href).href;
}

/**
 * @param {string} next
 * @param {() => void} wipe
 */
function leave(next, wipe) {
  // Registered last, this runs after the page's own handlers that save state.
  addEventListener("pagehide", () => attempt(wipe));
  location.replace(next);
  // A change of fragment alone keeps the document, with everything it shows.
  const [path] = location.href.split("#");
  if (next.includes("#") && next.split("#")[0] === path) location.reload();
}

/** @param {unknown} data What another tab of this origin sent. */
function follow(data) {
  const notice = /** @type {Partial<Notice> | null} */ (data);
  if (notice?.type !== "logout" || typeof notice.logout_id !== "string" || typeof notice.next !== "string") return;
  // The same notice arrives twice, over the channel and as a storage event.
  if (notice.logout_id === shared.handled) return;
  shared.handled = notice.logout_id;
  void runCallbacks({ logout_id: notice.logout_id, here: false });
  // What all tabs share is cleared by the tab that asked. sessionStorage is the
  // one thing nobody else can reach.
  const wipe = () => attempt(() => sessionStorage.clear());
  wipe();
  hide();
  leave(sameOrigin(notice.next), wipe);
}

function install() {
  if (shared.installed || typeof document === "undefined") return;
  shared.installed = true;
  attempt(() => {
    shared.channel = new BroadcastChannel(CHANNEL);
    shared.channel.onmessage = (event) => follow(event.data);
  });
  // The key is null when somebody calls clear(), which is no proof of a logout.
  addEventListener("storage", (event) => {
    if (event.key === PING && event.newValue) attempt(() => follow(JSON.parse(event.newValue ?? "")));
  });
  // A page in the back/forward cache hears nothing. It is put away hidden, so
  // that no old frame flashes by, and is asked for anew when it comes back.
  addEventListener("pagehide", (event) => { if (event.persisted) hide(); });
  const renew = () => { hide(); location.reload(); };
  addEventListener("pageshow", (event) => { if (event.persisted) renew(); });
  // A background tab that the browser froze may have missed the notice as well.
  document.addEventListener("resume", renew);
}

install();
