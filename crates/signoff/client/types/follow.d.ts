export type LogoutEvent = import("./types.js").LogoutEvent;
export type Notice = import("./types.js").Notice;
/**
 * Runs a callback in every open tab once a logout is proven and before anything is cleared. It is the place to close
 * database connections and to stop timers that would write state back.
 * @param {(event: LogoutEvent) => unknown} callback
 * @returns {() => void} Unsubscribes.
 */
export declare function onLogout(callback: (event: LogoutEvent) => unknown): () => void;
/** @param {Notice} notice */
export declare function tellOtherTabs(notice: Notice): void;
