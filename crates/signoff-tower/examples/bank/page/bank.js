/**
 * The bank's own page: accounts, transfers, and the two ways to leave.
 */
import { logout, logoutEverywhere, onLogout, SignoffError } from "/signoff.js";
import { frontPage, nextPage, ready } from "/assets/attacker.js";
import { byId, day, el, icon, keepReceipt } from "/assets/common.js";
import { loadAudit, loadSessions, manage } from "/assets/security.js";
import { api, goAway, Leaving } from "/assets/session.js";
import { stepUp } from "/assets/stepup.js";
import "/assets/renew.js";

const euros = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });
const money = (cents) => euros.format(cents / 100);

// Accounts and transfers

function showAccounts({ user, accounts, transfers, payees }) {
  const hour = new Date().getHours();
  const part = hour < 5 ? "evening" : hour < 12 ? "morning" : hour < 18 ? "afternoon" : "evening";
  // For whoever keeps the passwords in this browser.
  byId("step-up-user").value = user.id;
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

/** Sends an order; if the bank wants the password first, asks for it and sends the order again. */
async function send(order, what) {
  const answer = await api("POST", "/api/transfers", order);
  if (answer.status !== 401) return answer;
  const proved = await stepUp(what, answer.age);
  if (proved === null) goAway();
  return proved ? api("POST", "/api/transfers", order) : { status: 0, ok: false };
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
    const order = { to: to.value, amount_cents: value };
    const { ok, status, answer } = await send(order, `You are about to send ${money(value)} to ${name}.`);
    if (status === 0) {
      say("Cancelled. Nothing was sent.", "bad");
    } else if (ok) {
      say(`${money(value)} sent to ${name}.`, "good");
      amount.value = "";
      await Promise.all([loadAccounts(), loadSessions(), loadAudit()]);
    } else if (status === 422) {
      say(TRANSFER_ERRORS[answer?.error] ?? "The bank did not accept this transfer.", "bad");
    } else if (status === 401) {
      say("The bank asks for your password once more. Nothing was sent.", "bad");
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

// Loading

async function loadAccounts() {
  const { ok, answer } = await api("GET", "/api/accounts");
  if (!ok) throw new Error("accounts");
  showAccounts(answer);
}

async function load() {
  try {
    await Promise.all([loadAccounts(), loadSessions(), loadAudit()]);
    byId("load-error").hidden = true;
    document.body.dataset.ready = "true";
  } catch (error) {
    if (error instanceof Leaving) return;
    byId("load-error").hidden = false;
    document.body.dataset.ready = "error";
  }
}

byId("load-retry").addEventListener("click", load);

// Looking again when the person does. What asks on a timer is renew.js, which stops when nobody is there.
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

// The form logs out without this script as well, if it never loads.
byId("logout-form").addEventListener("submit", (event) => {
  event.preventDefault();
  void leave(logout);
});
onLogout((event) => keepReceipt(event.logout_id));
manage(() => leave(logout));
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
