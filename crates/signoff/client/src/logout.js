/**
 * The two logouts: ask, check the proof, and only then reset this browser.
 *
 * Without proof nothing is cleared, unless the caller says `unconfirmed` and the server cannot be reached; see
 * pending.js. A refusal is an answer: it is never taken for a server that cannot be reached.
 */
import { finish, pend } from "./pending.js";
import { SignoffError, prove } from "./prove.js";
import { sameOrigin, shared } from "./shared.js";

/** @typedef {import("./types.js").Options} Options */
/** @typedef {import("./types.js").Confirmed} Confirmed */
/** @typedef {import("./types.js").Unconfirmed} Unconfirmed */

/** @typedef {{
 *   (options?: Options & { unconfirmed?: false }): Promise<Confirmed>,
 *   (options: Options): Promise<Confirmed | Unconfirmed>,
 * }} Logout */

/**
 * Ends this session. Rejects with a SignoffError unless its destruction is proven, or unconfirmed was asked for and the
 * server cannot be reached.
 * @type {Logout}
 */
export const logout = (/** @type {Options} */ options = {}) =>
  /** @type {Promise<any>} */ (end(options.url ?? "/logout", options));

/**
 * Ends every session of this person, in the same way.
 * @type {Logout}
 */
export const logoutEverywhere = (/** @type {Options} */ options = {}) =>
  /** @type {Promise<any>} */ (end(options.url ?? "/logout/everywhere", options));

/**
 * @param {string} url
 * @param {Options} options
 * @returns {Promise<Confirmed | Unconfirmed>}
 */
function end(url, options) {
  if (shared.running) {
    if (shared.running.url === url) return shared.running.promise;
    // Sharing the answer would pass "this session" off as "every session", and racing the two would let the first
    // navigation cut the second one short.
    return Promise.reject(new SignoffError("refused", { message: "Another logout is already under way." }));
  }
  const promise = run(url, options);
  shared.running = { url, promise };
  const release = () => void (shared.running = null);
  // A tab that is leaving stays busy, so that a late click cannot post again.
  promise.then((outcome) => { if (!outcome.confirmed || options.navigate === false) release(); }, release);
  return promise;
}

/**
 * @param {string} url
 * @param {Options} options
 * @returns {Promise<Confirmed | Unconfirmed>}
 */
async function run(url, options) {
  const next = sameOrigin(options.next ?? "/");
  const { keep, keepPrefixes, databases, clear, serviceWorkers, navigate = true } = options;
  const pending = { since: Date.now(), url, next, options: { keep, keepPrefixes, databases, clear, serviceWorkers } };
  let proof;
  try {
    proof = await prove(url, options.timeout);
  } catch (error) {
    const { reason, retryAfter } = /** @type {SignoffError} */ (error);
    if (!options.unconfirmed || !["offline", "timeout", "unavailable"].includes(reason)) throw error;
    const left = await pend(pending, { here: true, stays: !navigate, retryAfter });
    return { confirmed: false, reason: /** @type {any} */ (reason), pending, left };
  }
  const left = await finish(pending, proof.logout_id, navigate);
  return { ...proof, confirmed: true, left };
}
