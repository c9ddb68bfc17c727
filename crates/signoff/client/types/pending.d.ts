export type Pending = import("./types.js").Pending;
/**
 * Runs a callback in every tab when a logout becomes pending, and on every page that is loaded while one is. It is the
 * place to close database connections and to tell the person. By default the page is emptied and shows a notice of the
 * module; a callback that returns a Node has that shown instead, and one that returns `true` keeps the page as it is: it
 * has hidden what there was to hide, and told the person. Register it while the page's scripts are loading.
 * @param {(pending: Pending) => Node | true | void | Promise<Node | true | void>} callback
 * @returns {() => void} Unsubscribes.
 */
export declare function onPending(callback: (pending: Pending) => Node | true | void | Promise<Node | true | void>): () => void;
/**
 * The logout that the person asked for and that is not proven: they are still signed in on the server.
 * @returns {Pending | null}
 */
export declare function pendingLogout(): Pending | null;
/**
 * Tries now. It happens by itself when a page is loaded or shown, when the network is back, and ever less often while
 * a page is open.
 * @returns {Promise<Pending | null>} What is still pending.
 */
export declare function retryPendingLogout(): Promise<Pending | null>;
/**
 * Gives the pending logout up, because the person signs in: a retry would end their new session. Pass the login itself,
 * so that no tab retries while it runs, and so that a login that fails gives nothing up.
 * @template T
 * @param {() => T | Promise<T>} [login] Resolves to something true once the person is signed in.
 * @returns {Promise<T | undefined>}
 */
export declare function forgetPendingLogout<T>(login?: () => T | Promise<T>): Promise<T | undefined>;
/**
 * The session is gone. Everything that a logout does in a browser, in order.
 * @param {Pending} pending
 * @param {string} logout_id
 * @param {boolean} leaving
 */
export declare function finish({ next, options }: Pending, logout_id: string, leaving: boolean): Promise<string[]>;
/**
 * Hides and removes the data although nothing is proven, and says so.
 * @param {Pending} pending
 * @param {{ here?: boolean, stays?: boolean, retryAfter?: number }} how `here` is the tab in which the person asked.
 */
export declare function pend(pending: Pending, { here, stays, retryAfter }: {
    here?: boolean;
    stays?: boolean;
    retryAfter?: number;
}): Promise<string[]>;
