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
  return { status: res.status, ok: res.ok && answer !== null, answer };
}

export function goAway() {
  location.replace(frontPage());
  throw new Leaving();
}
