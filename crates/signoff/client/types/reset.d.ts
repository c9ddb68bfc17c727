export type Options = import("./types.js").Options;
/** @typedef {import("./types.js").Options} Options */
/** Where a pending logout is written down. Only who has proof removes it. */
export declare const MARKER = "signoff:pending";
/**
 * Every step is independent, and the whole is bounded, because a stuck database must not keep the page open.
 * @param {Options} options
 * @returns {Promise<string[]>} The steps that did not finish.
 */
export declare function reset(options: Options): Promise<string[]>;
/** @param {Options} options */
export declare function wipeWebStorage({ clear, keep, keepPrefixes }: Options): void;
