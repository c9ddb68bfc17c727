/**
 * signoff: the browser's half of a logout.
 *
 * It asks the server to end the session, checks that the answer proves the session is gone, and only then resets this
 * browser: the other tabs are told, then Web Storage, IndexedDB, Cache Storage and service workers are cleared, then the
 * page is left with a hard navigation. Importing the module is enough to make a tab follow a logout that happens in
 * another one and to keep pages of an ended session from coming back out of the back/forward cache.
 *
 * It never stores or reads a credential: the cookie is HttpOnly and stays so. It never takes silence for success.
 */
export type Clear = import("./types.js").Clear;
export type Confirmed = import("./types.js").Confirmed;
export type LogoutEvent = import("./types.js").LogoutEvent;
export type Options = import("./types.js").Options;
export type Pending = import("./types.js").Pending;
export type Reason = import("./types.js").Reason;
export type Unconfirmed = import("./types.js").Unconfirmed;
/** @typedef {import("./types.js").Clear} Clear */
/** @typedef {import("./types.js").Confirmed} Confirmed */
/** @typedef {import("./types.js").LogoutEvent} LogoutEvent */
/** @typedef {import("./types.js").Options} Options */
/** @typedef {import("./types.js").Pending} Pending */
/** @typedef {import("./types.js").Reason} Reason */
/** @typedef {import("./types.js").Unconfirmed} Unconfirmed */
export { onLogout } from "./follow.js";
export { logout, logoutEverywhere } from "./logout.js";
export { forgetPendingLogout, onPending, pendingLogout, retryPendingLogout } from "./pending.js";
export { SignoffError } from "./prove.js";
