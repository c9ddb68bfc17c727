/** Why a logout was not proven. */
export type Reason = "offline" | "timeout" | "unavailable" | "refused" | "no-session" | "unproven";

/** What is cleared; everything, unless `false`. */
export interface Clear {
  /** localStorage, but for what is kept, and sessionStorage. */
  webStorage?: boolean;
  indexedDB?: boolean;
  /** Cache Storage. */
  caches?: boolean;
  serviceWorkers?: boolean;
}

export interface Options {
  /** Where to POST. Must be on this origin. Defaults to `/logout`, and `/logout/everywhere`. */
  url?: string;
  /** Where every tab goes afterwards. Anything off this origin becomes `/`, the default. */
  next?: string;
  /** `false` keeps this tab where it is, and as it is. */
  navigate?: boolean;
  /** Milliseconds to wait for the whole answer. Defaults to 10,000. */
  timeout?: number;
  /** localStorage keys that survive, a colour theme for example. */
  keep?: string[];
  /** localStorage keys that survive, by how they begin. An empty prefix keeps everything. */
  keepPrefixes?: string[];
  /** IndexedDB names, for browsers that cannot list them. */
  databases?: string[];
  /** What is cleared. */
  clear?: Clear;
  /** `false` leaves service workers registered: the same as `clear: { serviceWorkers: false }`. */
  serviceWorkers?: boolean;
  /**
   * `true` removes the data from this browser also when the server cannot be reached. The session lives on until a
   * later attempt is proven, so the outcome has `confirmed: false`, and the person must be told.
   */
  unconfirmed?: boolean;
}

/** The server has proven that the session is gone. */
export interface Confirmed {
  confirmed: true;
  status: "destroyed";
  session: true;
  tokens: true;
  logout_id: string;
  /** What could not be cleared in time. */
  left: string[];
}

/** The server could not be reached. Its data is gone from this browser; the session lives on. */
export interface Unconfirmed {
  confirmed: false;
  reason: "offline" | "timeout" | "unavailable";
  pending: Pending;
  /** What could not be cleared in time; `marker` if the browser forbids what later pages need for a retry. */
  left: string[];
}

/** A logout that the person asked for and that the server has not confirmed. No credential is in it. */
export interface Pending {
  /** When the person asked, in milliseconds since 1970. */
  since: number;
  /** Where the logout is posted. */
  url: string;
  /** Where the tabs go when it is proven. */
  next: string;
  /** What the retry keeps and clears. */
  options: Pick<Options, "keep" | "keepPrefixes" | "databases" | "clear" | "serviceWorkers">;
}

export interface LogoutEvent {
  /** Empty if a retry found that there was no session any more: nothing says then who ended it, and which. */
  logout_id: string;
  /** True in the tab that asked, or that retried. */
  here: boolean;
}

/** What tabs tell each other. */
export type Notice =
  | { type: "logout"; at: number; logout_id: string; next: string }
  | { type: "pending"; at: number; pending: Pending };
