/**
 * What all parts of the module share: one state per page, and the ways in which a page is hidden and left.
 *
 * Nothing here asks the server or clears more than this tab's own storage.
 */
export type LogoutEvent = import("./types.js").LogoutEvent;
export type Notice = import("./types.js").Notice;
export type Pending = import("./types.js").Pending;
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
export declare const shared: {
    callbacks: Set<(event: LogoutEvent) => unknown>;
    tellers: Set<(pending: Pending) => unknown>;
    channel: BroadcastChannel | null;
    running: {
        url: string;
        promise: Promise<any>;
    } | null;
    handled: string;
    installed: boolean;
    resumed: boolean;
    stays: boolean;
    leaving: boolean;
    memory: Pending | null;
    pend: ((pending: Pending) => unknown) | null;
};
/** @param {() => unknown} work Something the browser may forbid, storage for example. */
export declare function attempt(work: () => unknown): void;
/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export declare function within<T>(ms: number, promise: Promise<T>): Promise<T>;
/** @param {boolean} hidden */
export declare function hide(hidden?: boolean): void;
/** @param {string} address */
export declare function sameOrigin(address: string): string;
/**
 * @param {string} next
 * @param {() => void} wipe
 */
export declare function leave(next: string, wipe: () => void): void;
/** @param {LogoutEvent} event */
export declare function runCallbacks(event: LogoutEvent): Promise<PromiseSettledResult<unknown>[]>;
/**
 * Each callback runs inside its own promise, so that one that throws stops no other; an async function runs
 * synchronously up to its first await.
 * @template T
 * @param {Set<(value: T) => unknown>} callbacks
 * @param {T} value
 */
export declare function settle<T>(callbacks: Set<(value: T) => unknown>, value: T): Promise<PromiseSettledResult<unknown>[]>;
