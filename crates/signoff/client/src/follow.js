/**
 * What a tab does by itself once the module is imported: it follows a logout in another tab, and keeps pages of an
 * ended session from coming back out of the back/forward cache.
 *
 * It asks no server and ends no session.
 */
import { attempt, hide, leave, runCallbacks, sameOrigin, shared } from "./shared.js";

/** @typedef {import("./types.js").LogoutEvent} LogoutEvent */
/** @typedef {import("./types.js").Notice} Notice */

const NAME = "signoff";
const PING = "signoff:logout";

/**
 * Runs a callback in every open tab once a logout is proven and before anything is cleared. It is the place to close
 * database connections and to stop timers that would write state back.
 * @param {(event: LogoutEvent) => unknown} callback
 * @returns {() => void} Unsubscribes.
 */
export function onLogout(callback) {
  shared.callbacks.add(callback);
  return () => void shared.callbacks.delete(callback);
}

/** @param {Notice} notice */
export function tellOtherTabs(notice) {
  attempt(() => shared.channel?.postMessage(notice));
  // The storage event is the fallback. It never fires in the tab that writes, and the key must not stay behind, so it
  // is removed at once.
  attempt(() => {
    localStorage.setItem(PING, JSON.stringify(notice));
    localStorage.removeItem(PING);
  });
}

/** @param {any} notice What another tab of this origin sent. */
function follow(notice) {
  const pending = notice?.type === "pending" ? notice.pending : null;
  const next = (pending ?? notice)?.next;
  if (!pending && (notice?.type !== "logout" || typeof notice.logout_id !== "string") || typeof next !== "string") return;
  // The same notice arrives twice, over the channel and as a storage event.
  const key = `${notice.at} ${notice.logout_id}`;
  if (key === shared.handled) return;
  shared.handled = key;
  // What all tabs share is cleared by the tab that asked. sessionStorage is the one thing nobody else can reach.
  const wipe = () => attempt(() => sessionStorage.clear());
  wipe();
  if (pending && shared.pend) return void shared.pend(pending);
  if (!pending) {
    void runCallbacks({ logout_id: notice.logout_id, here: false });
    // This page has said that it hides nothing, a login page for example; so far, and for this logout.
    const { stays } = shared;
    shared.stays = false;
    if (stays) return;
  }
  hide();
  leave(sameOrigin(next), wipe);
}

function install() {
  if (shared.installed || typeof document === "undefined") return;
  shared.installed = true;
  attempt(() => {
    shared.channel = new BroadcastChannel(NAME);
    shared.channel.onmessage = (event) => follow(event.data);
  });
  // The key is null when somebody calls clear(), which is no proof of a logout.
  addEventListener("storage", (event) => {
    if (event.key === PING && event.newValue) attempt(() => follow(JSON.parse(event.newValue ?? "")));
  });
  // A page in the back/forward cache hears nothing. It is put away hidden, so that no old frame flashes by, and is
  // asked for anew when it comes back.
  addEventListener("pagehide", (event) => { if (event.persisted) hide(); });
  const renew = () => { hide(); location.reload(); };
  addEventListener("pageshow", (event) => { if (event.persisted) renew(); });
  // A background tab that the browser froze may have missed the notice as well.
  document.addEventListener("resume", renew);
}

install();
