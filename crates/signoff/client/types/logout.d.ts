export type Options = import("./types.js").Options;
export type Confirmed = import("./types.js").Confirmed;
export type Unconfirmed = import("./types.js").Unconfirmed;
export type Logout = {
    (options?: Options & {
        unconfirmed?: false;
    }): Promise<Confirmed>;
    (options: Options): Promise<Confirmed | Unconfirmed>;
};
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
export declare const logout: Logout;
/**
 * Ends every session of this person, in the same way.
 * @type {Logout}
 */
export declare const logoutEverywhere: Logout;
