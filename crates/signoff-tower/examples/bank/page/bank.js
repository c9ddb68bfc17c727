/**
 * The bank's own page. A 401 from any call means the session is gone, and the
 * only right reaction is to leave: nothing on this page may outlive it.
 */
import { logout, logoutEverywhere, onLogout, SignoffError } from "/signoff.js";
import { frontPage, nextPage, ready } from "/assets/attacker.js";
import { byId, call, el } from "/assets/common.js";

const euros = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });
const money = (cents) => euros.format(cents / 100);
const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** Thrown once the page is being left, so that no caller goes on to draw. */
class Leaving extends Error {}

async function api(method, path, body) {
  const res = await call(method, path, body);
  if (res.status === 401) {
    location.replace(frontPage());
    throw new Leaving();
  }
  const answer = await res.json().catch(() => null);
  return { status: res.status, ok: res.ok && answer !== null, answer };
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

function ago(ms) {
  const seconds = Math.round((Date.now() - ms) / 1000);
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (seconds < 60) return "just now";
  if (seconds < 3600) return relative.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86_400) return relative.format(-Math.round(seconds / 3600), "hour");
  return relative.format(-Math.round(seconds / 86_400), "day");
}

// Accounts and transfers

function showAccounts({ user, accounts, transfers, payees }) {
  const hour = new Date().getHours();
  const part = hour < 5 ? "evening" : hour < 12 ? "morning" : hour < 18 ? "afternoon" : "evening";
  byId("greeting").textContent = `Good ${part}, ${user.name.split(" ")[0]}`;
  byId("today").textContent = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long" }).format(new Date());
  byId("total").textContent = money(accounts.reduce((sum, account) => sum + account.balance_cents, 0));

  byId("account-list").replaceChildren(...accounts.map((account) => {
    const item = el("li", "account",
      el("span", "account-name", account.name),
      el("span", "account-number", account.number),
      el("strong", "money", money(account.balance_cents)));
    item.dataset.accountId = account.id;
    return item;
  }));

  const to = byId("transfer-to");
  const chosen = to.value;
  to.replaceChildren(...payees.map((payee) => new Option(payee.name, payee.id)));
  if (payees.some((payee) => payee.id === chosen)) to.value = chosen;

  byId("transfer-list").replaceChildren(...(transfers.length === 0
    ? [el("li", "empty", "No transfers yet.")]
    : transfers.slice(0, 6).map((transfer) => {
      const incoming = transfer.direction === "in";
      const when = el("time", "", day.format(transfer.at_ms));
      when.dateTime = new Date(transfer.at_ms).toISOString();
      return el("li", "row",
        el("span", `badge ${incoming ? "in" : "out"}`, icon(incoming ? "in" : "out")),
        el("span", "row-text", el("b", "", transfer.counterparty), when),
        el("span", `money ${incoming ? "in" : ""}`, `${incoming ? "+" : "−"}${money(Math.abs(transfer.amount_cents))}`));
    })));
}

const TRANSFER_ERRORS = {
  insufficient_funds: "There is not enough money in your account.",
  unknown_payee: "The bank does not know this person.",
  invalid_amount: "Enter an amount above zero, such as 12.50.",
};

/** Reads an amount without floating point, in which 0.29 * 100 is not 29. */
function cents(text) {
  const parts = /^(\d{1,9})(?:[.,](\d{1,2}))?$/.exec(text.trim());
  return parts ? Number(parts[1]) * 100 + Number((parts[2] ?? "").padEnd(2, "0")) : 0;
}

byId("transfer-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const result = byId("transfer-result");
  const amount = byId("transfer-amount");
  const say = (text, kind) => {
    result.textContent = text;
    result.dataset.kind = kind;
    if (kind === "bad") amount.setAttribute("aria-invalid", "true");
    else amount.removeAttribute("aria-invalid");
  };
  const value = cents(amount.value);
  if (value <= 0) {
    say(TRANSFER_ERRORS.invalid_amount, "bad");
    amount.focus();
    return;
  }
  const to = byId("transfer-to");
  const name = to.selectedOptions[0]?.textContent ?? to.value;
  byId("transfer-submit").disabled = true;
  try {
    const { ok, status, answer } = await api("POST", "/api/transfers", { to: to.value, amount_cents: value });
    if (ok) {
      say(`${money(value)} sent to ${name}.`, "good");
      amount.value = "";
      await loadAccounts();
    } else if (status === 422) {
      say(TRANSFER_ERRORS[answer?.error] ?? "The bank did not accept this transfer.", "bad");
    } else if (status === 503) {
      say("The bank cannot send money right now. Nothing was sent.", "bad");
    } else {
      throw new Error(String(status));
    }
  } catch (error) {
    // A lost answer is not a lost transfer, so this must not say "not sent".
    if (!(error instanceof Leaving)) say("The answer was lost. Check your recent transfers before you send again.", "bad");
  } finally {
    byId("transfer-submit").disabled = false;
  }
});

// Devices

function showSessions(sessions) {
  const own = [...sessions].sort((a, b) => Number(b.current) - Number(a.current));
  byId("session-list").replaceChildren(...own.map((session) => {
    const end = el("button", "end-session quiet", "End");
    end.type = "button";
    end.setAttribute("aria-label", session.current ? "End this session" : `End the session on ${session.device}`);
    end.addEventListener("click", () => endSession(session, end));
    const title = el("span", "row-title", el("b", "", session.device));
    if (session.current) title.append(el("span", "pill", "This device"));
    const item = el("li", "row",
      el("span", "badge", icon(/phone|android|ios|mobile/i.test(session.device) ? "phone" : "laptop")),
      el("span", "row-text", title,
        el("span", "muted", `${session.address} · signed in ${ago(session.created_at_ms)} · active ${ago(session.last_seen_at_ms)}`)),
      end);
    item.dataset.sessionId = session.id;
    if (session.current) item.dataset.current = "true";
    return item;
  }));
}

async function endSession(session, button) {
  // Ending this very session is a logout, and deserves the same proof and the
  // same reset of the browser.
  if (session.current) return leave(logout);
  const result = byId("session-result");
  button.disabled = true;
  try {
    const { ok, status, answer } = await api("DELETE", `/api/sessions/${encodeURIComponent(session.id)}`);
    const destroyed = ok && answer.status === "destroyed";
    result.dataset.kind = destroyed || status === 404 ? "good" : "bad";
    result.textContent = destroyed ? `The session on ${session.device} was destroyed.`
      : status === 404 ? "That session had already ended."
        : "The bank could not end that session. It is still signed in.";
    if (destroyed || status === 404) await loadSessions();
  } catch (error) {
    if (error instanceof Leaving) return;
    result.dataset.kind = "bad";
    result.textContent = "The bank could not be reached. Assume that session is still signed in.";
  } finally {
    button.disabled = false;
  }
}

// Loading

async function loadAccounts() {
  const { ok, answer } = await api("GET", "/api/accounts");
  if (!ok) throw new Error("accounts");
  showAccounts(answer);
}

async function loadSessions() {
  const { ok, answer } = await api("GET", "/api/sessions");
  if (!ok) throw new Error("sessions");
  showSessions(answer.sessions);
}

async function load() {
  try {
    await Promise.all([loadAccounts(), loadSessions()]);
    byId("load-error").hidden = true;
    document.body.dataset.ready = "true";
  } catch (error) {
    if (error instanceof Leaving) return;
    byId("load-error").hidden = false;
    document.body.dataset.ready = "error";
  }
}

byId("load-retry").addEventListener("click", load);

// Looking again when the person does, and not on a timer: a page that polls
// keeps its own idle session alive.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && document.body.dataset.ready !== undefined) void load();
});

// Logging out

let lastTried = logout;

async function leave(how) {
  lastTried = how;
  const buttons = [byId("logout"), byId("logout-everywhere"), byId("logout-retry"), ...document.querySelectorAll("#session-list [data-current] .end-session")];
  for (const button of buttons) button.disabled = true;
  try {
    await how({ next: nextPage(), databases: ["bank"] });
  } catch (error) {
    for (const button of buttons) button.disabled = false;
    if (error instanceof SignoffError && error.reason === "no-session") return location.replace(frontPage());
    const seconds = error.retryAfter === 1 ? "a second" : `${error.retryAfter} seconds`;
    const wait = error.retryAfter ? ` The bank asks you to wait ${seconds}.` : "";
    // The alert is emptied first, so that the same news is announced again.
    byId("logout-error").hidden = true;
    byId("logout-error-text").textContent = `${error.message}${wait}`;
    requestAnimationFrame(() => {
      byId("logout-error").hidden = false;
      byId("logout-error").scrollIntoView({ block: "nearest" });
      byId("logout-retry").focus();
    });
  }
}

byId("logout").addEventListener("click", () => leave(logout));
byId("logout-everywhere").addEventListener("click", () => leave(logoutEverywhere));
byId("logout-retry").addEventListener("click", () => leave(lastTried));

// Harmless traces, so that the reset has something to show for itself.

function openDatabase() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("bank", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("views");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function leaveTraces() {
  localStorage.setItem("bank:last-view", "accounts");
  sessionStorage.setItem("bank:draft", "A transfer nobody has sent");
  const database = await openDatabase();
  // An open connection blocks deletion, also from another tab.
  const close = () => database.close();
  database.onversionchange = close;
  onLogout(close);
  database.transaction("views", "readwrite").objectStore("views").put({ view: "accounts" }, "last");
  const cache = await caches.open("bank-cache");
  await cache.put("/bank-cache/example", new Response("Nothing of value", { headers: { "Content-Type": "text/plain" } }));
}

let traces = "For you to check: this page keeps a local storage key, a session storage key, a database and a cache entry in your browser. A proven logout removes all four.";
await Promise.all([
  ready,
  leaveTraces().catch(() => { traces = "This browser allows only part of the demo data to be stored. A proven logout removes what there is."; }),
]);
byId("seeded").textContent = traces;
await load();
