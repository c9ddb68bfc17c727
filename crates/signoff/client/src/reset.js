/**
 * Clears what the browser holds for this origin.
 *
 * It leaves origin-private files to the server's Clear-Site-Data header, which reaches things a script cannot, and
 * cookies to whoever has set them.
 */
import { attempt, within } from "./shared.js";

/** @typedef {import("./types.js").Options} Options */

/** Where a pending logout is written down. Only who has proof removes it. */
export const MARKER = "signoff:pending";
// Other tabs need this long to leave, and so to let go of a database, on a busy machine. What is not done when a page leaves is not
// done at all in Firefox.
const LIST_MS = 1_500;
const DATABASE_MS = 3_000;
const RESET_MS = 5_000;

/**
 * Every step is independent, and the whole is bounded, because a stuck database must not keep the page open.
 * @param {Options} options
 * @returns {Promise<string[]>} The steps that did not finish.
 */
export async function reset(options) {
  const { clear = {}, databases = [], serviceWorkers = true } = options;
  /** @type {Set<string>} */
  const left = new Set();
  /** @type {(name: string, wanted: boolean | undefined, work: () => unknown) => Promise<unknown>} */
  const step = async (name, wanted, work) => {
    if (wanted === false) return;
    left.add(name);
    await work();
    left.delete(name);
  };
  await within(RESET_MS, Promise.allSettled([
    step("webStorage", clear.webStorage, () => wipeWebStorage(options)),
    step("indexedDB", clear.indexedDB, () => deleteDatabases(databases)),
    step("cacheStorage", clear.caches, async () => {
      if (!("caches" in globalThis)) return;
      await all((await caches.keys()).map((name) => caches.delete(name)));
    }),
    step("serviceWorkers", serviceWorkers && clear.serviceWorkers, async () => {
      if (!navigator.serviceWorker) return;
      await all((await navigator.serviceWorker.getRegistrations()).map((worker) => worker.unregister()));
    }),
  ])).catch(() => {});
  if (left.size > 0) console.warn("signoff: not cleared in time:", [...left].join(", "));
  return [...left];
}

/** @param {Options} options */
export function wipeWebStorage({ clear, keep = [], keepPrefixes = [] }) {
  if (clear?.webStorage === false) return;
  // sessionStorage goes first and alone: blocked localStorage must not save it.
  attempt(() => sessionStorage.clear());
  // Not Object.keys(): it leaves out a key that is called "length" or "clear".
  for (let i = localStorage.length - 1; i >= 0; i--) {
    const key = localStorage.key(i) ?? MARKER;
    if (key === MARKER || keep.includes(key) || keepPrefixes.some((prefix) => key.startsWith(prefix))) continue;
    localStorage.removeItem(key);
  }
}

/** @param {string[]} extra */
async function deleteDatabases(extra) {
  if (!globalThis.indexedDB) return;
  const names = new Set(extra);
  const listing = indexedDB.databases ? within(LIST_MS, indexedDB.databases()) : Promise.resolve([]);
  for (const { name } of await listing.catch(() => [])) if (name !== undefined) names.add(name);
  // A delete stays "blocked" for as long as any tab keeps a connection open, so each one gets its own limit and none
  // waits for another. Names that could not be listed are not deleted, and that is told as well.
  await all([listing, ...[...names].map((name) => within(DATABASE_MS, new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = resolve;
    request.onerror = () => reject(request.error);
  })))]);
}

/**
 * Waits for every promise before it reports a failure, unlike Promise.all.
 * @param {Promise<unknown>[]} promises
 */
async function all(promises) {
  const failed = (await Promise.allSettled(promises)).find((result) => result.status === "rejected");
  if (failed) throw /** @type {PromiseRejectedResult} */ (failed).reason;
}
