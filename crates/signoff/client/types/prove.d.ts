/**
 * Asks the server to end the session, and decides whether its answer proves that it did.
 *
 * It clears nothing and tells nobody.
 */
export type Reason = import("./types.js").Reason;
export type Proof = Pick<import("./types.js").Confirmed, "status" | "session" | "tokens" | "logout_id">;
/** Why a logout was not proven. When this is thrown, nothing has been cleared. */
export declare class SignoffError extends Error {
    /** @type {Reason} */
    reason: Reason;
    /** The HTTP status, or 0 when there was no answer to read. */
    status: number;
    /** Seconds the server asked to wait, when it said so. */
    retryAfter: number | undefined;
    /**
     * @param {Reason} reason
     * @param {{ status?: number, retryAfter?: number, message?: string, cause?: unknown }} [details]
     */
    constructor(reason: Reason, details?: {
        status?: number;
        retryAfter?: number;
        message?: string;
        cause?: unknown;
    });
}
/**
 * Only one answer counts: our own server's JSON saying what was destroyed. A captive portal also answers 200, and so
 * does the login page after a redirect.
 * @param {string} url
 * @param {number} [limit]
 * @returns {Promise<Proof>}
 */
export declare function prove(url: string, limit?: number): Promise<Proof>;
