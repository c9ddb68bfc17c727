/**
 * Asks the server to end the session, and decides whether its answer proves that it did.
 *
 * It clears nothing and tells nobody.
 */

/** @typedef {import("./types.js").Reason} Reason */
/** @typedef {Pick<import("./types.js").Confirmed, "status" | "session" | "tokens" | "logout_id">} Proof */

const REQUEST_MS = 10_000;

const KEPT = " Nothing was cleared.";
/** @type {Record<Reason, string>} */
const MESSAGES = {
  offline: "The server could not be reached, so you are still signed in.",
  timeout: "The server did not answer in time. Treat yourself as still signed in.",
  unavailable: "The server could not end your session just now, so you are still signed in.",
  refused: "The logout was refused, so you are still signed in.",
  "no-session": "There was no session to end.",
  unproven: "The answer did not prove that your session ended. Treat yourself as still signed in.",
};

/** Why a logout was not proven. When this is thrown, nothing has been cleared. */
export class SignoffError extends Error {
  /**
   * @param {Reason} reason
   * @param {{ status?: number, retryAfter?: number, message?: string, cause?: unknown }} [details]
   */
  constructor(reason, details = {}) {
    super(details.message ?? MESSAGES[reason] + KEPT, { cause: details.cause });
    this.name = "SignoffError";
    /** @type {Reason} */
    this.reason = reason;
    /** The HTTP status, or 0 when there was no answer to read. */
    this.status = details.status ?? 0;
    /** Seconds the server asked to wait, when it said so. */
    this.retryAfter = details.retryAfter;
  }
}

/**
 * Only one answer counts: our own server's JSON saying what was destroyed. A captive portal also answers 200, and so
 * does the login page after a redirect.
 * @param {string} url
 * @param {number} [limit]
 * @returns {Promise<Proof>}
 */
export async function prove(url, limit = REQUEST_MS) {
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
    // 502 and 504 are a proxy's way to say the same: the server behind it was not reached.
    if ([502, 503, 504].includes(status)) {
      throw new SignoffError("unavailable", { status, retryAfter: retryAfter(res) });
    }
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
