/**
 * The logout as a React hook.
 *
 * It renders nothing and keeps no state beyond what a component shows.
 */
import { useCallback, useEffect, useState } from "react";
import {
  forgetPendingLogout, logout, logoutEverywhere, onLogout, onPending, pendingLogout, retryPendingLogout,
} from "./index.js";

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
export function useLogout(options = {}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {SignoffError | null} */ (null));
  // Not read in the first render, which must be the same on a server.
  const [pending, setPending] = useState(/** @type {Pending | null} */ (null));
  const { showsPending } = options;

  useEffect(() => {
    const look = () => setPending(pendingLogout());
    look();
    const ends = [
      onPending((now) => { setPending(now); return showsPending || undefined; }),
      onLogout(() => setPending(null)),
    ];
    addEventListener("storage", look);
    return () => {
      for (const end of ends) end();
      removeEventListener("storage", look);
    };
  }, [showsPending]);

  const run = async (/** @type {typeof logout} */ how, /** @type {Options} */ now = {}) => {
    setBusy(true);
    setError(null);
    try {
      const outcome = await how({ ...options, ...now });
      // A page that is being left stays busy.
      if (!outcome.confirmed || (now.navigate ?? options.navigate) === false) setBusy(false);
      return outcome;
    } catch (caught) {
      setBusy(false);
      setError(/** @type {SignoffError} */ (caught));
    }
  };

  return {
    busy, error, pending,
    logout: (now) => run(logout, now),
    logoutEverywhere: (now) => run(logoutEverywhere, now),
    retry: useCallback(async () => setPending(await retryPendingLogout()), []),
    forget: useCallback(async (login) => {
      const done = await forgetPendingLogout(login);
      setPending(pendingLogout());
      return done;
    }, []),
  };
}
