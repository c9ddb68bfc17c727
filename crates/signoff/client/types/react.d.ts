import { forgetPendingLogout } from "./index.js";
export type Confirmed = import("./types.js").Confirmed;
export type Options = import("./types.js").Options;
export type Pending = import("./types.js").Pending;
export type Unconfirmed = import("./types.js").Unconfirmed;
export type SignoffError = import("./prove.js").SignoffError;
export type UseLogout = {
    /**
     * Ends this session. Never rejects:
     * what went wrong is in `error`.
     */
    logout: (now?: Options) => Promise<Confirmed | Unconfirmed | undefined>;
    /**
     * The same for every session.
     */
    logoutEverywhere: (now?: Options) => Promise<Confirmed | Unconfirmed | undefined>;
    /**
     * While the server is asked.
     */
    busy: boolean;
    /**
     * Why the last attempt was not proven: the person is still signed in.
     */
    error: SignoffError | null;
    /**
     * A logout that is not proven yet: the person is still signed in on the server.
     */
    pending: Pending | null;
    /**
     * Tries the pending one now.
     */
    retry: () => Promise<void>;
    /**
     * Gives it up, because the person signs in.
     */
    forget: typeof forgetPendingLogout;
};
/** @typedef {import("./types.js").Confirmed} Confirmed */
/** @typedef {import("./types.js").Options} Options */
/** @typedef {import("./types.js").Pending} Pending */
/** @typedef {import("./types.js").Unconfirmed} Unconfirmed */
/** @typedef {import("./prove.js").SignoffError} SignoffError */
/**
 * @typedef {object} UseLogout
 * @property {(now?: Options) => Promise<Confirmed | Unconfirmed | undefined>} logout Ends this session. Never rejects:
 *   what went wrong is in `error`.
 * @property {(now?: Options) => Promise<Confirmed | Unconfirmed | undefined>} logoutEverywhere The same for every session.
 * @property {boolean} busy While the server is asked.
 * @property {SignoffError | null} error Why the last attempt was not proven: the person is still signed in.
 * @property {Pending | null} pending A logout that is not proven yet: the person is still signed in on the server.
 * @property {() => Promise<void>} retry Tries the pending one now.
 * @property {typeof forgetPendingLogout} forget Gives it up, because the person signs in.
 */
/**
 * @param {Options & { showsPending?: boolean }} [options] For every logout. `showsPending` says that the component shows
 *   `pending` itself and that nothing else on the page is of the old session, so that the page is not emptied.
 * @returns {UseLogout}
 */
export declare function useLogout(options?: Options & {
    showsPending?: boolean;
}): UseLogout;
