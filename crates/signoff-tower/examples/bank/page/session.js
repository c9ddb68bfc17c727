/**
 * Calls of a page that somebody is signed in on. A 401 means that the session is gone, and the only right reaction is to
 * leave: nothing on the page may outlive it. Except for the 401 that asks for the password once more.
 */
import { frontPage } from "/assets/attacker.js";
import { call } from "/assets/common.js";

/** Thrown once the page is being left, so that no caller goes on to draw. */
export class Leaving extends Error {}

export async function api(method, path, body) {
  const res = await call(method, path, body);
  const answer = await res.json().catch(() => null);
  if (res.status === 401 && answer?.error !== "insufficient_user_authentication") goAway();
  // How old a password may be (RFC 9470), when that is what is asked for.
  const age = Number(/max_age="?(\d+)/.exec(res.headers.get("WWW-Authenticate") ?? "")?.[1] ?? 0);
  return { status: res.status, ok: res.ok && answer !== null, answer, age };
}

export function goAway() {
  location.replace(frontPage());
  throw new Leaving();
}
