/**
 * The thief's panel, on both pages. It never handles the token itself: the
 * server keeps what was captured, and this page refers to it by an id that is
 * worth nothing to anyone else.
 */

const byId = (id) => document.getElementById(id);

// The id has to outlive a logout that clears all storage, so it travels in the
// fragment. Anyone can write a link with a fragment, hence the strict patterns.
const fragment = new URLSearchParams(location.hash.slice(1));
const valid = (value, pattern) => (value !== null && pattern.test(value) ? value : null);

export const signedOut = fragment.has("signed-out");
let captured = valid(fragment.get("captured"), /^[\w-]{1,128}$/);
let lastStatus = null;

/** Where to go after a logout, with what the story needs to go on. */
export function nextPage() {
  const seen = captured && lastStatus ? `&before=${lastStatus}` : "";
  return captured ? `/#signed-out&captured=${encodeURIComponent(captured)}${seen}` : "/#signed-out";
}

function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-Signoff"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return fetch(path, {
    method, headers, cache: "no-store", credentials: "same-origin",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

const tone = (status) => (status < 300 ? "got-in" : status === 401 ? "kept-out" : "unclear");

/** Shows the start of an answer, laid out for reading when it is JSON. */
function excerpt(body) {
  let text = String(body ?? "");
  try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* Shown as it came. */ }
  const lines = text.split("\n");
  const short = lines.slice(0, 14).join("\n").slice(0, 700);
  return short.length < text.length ? `${short}\n…` : short;
}

const VERDICTS = {
  "got-in": "The token works. The thief reads the accounts.",
  "kept-out": "The token is dead. The thief gets nothing.",
  unclear: "The server cannot check the token, so it does not trust it.",
};

function log(when, status, text) {
  const item = el("li", tone(status),
    el("span", "when", when),
    el("strong", "", `${status} ${text}`.trim()));
  item.dataset.status = String(status);
  item.dataset.when = when === "Before logout" ? "before" : "after";
  byId("replay-log").append(item);
  byId("log-step").hidden = false;
}

function showExchange(answer) {
  const kind = tone(answer.status);
  const lines = [
    el("p", "request", el("span", "", answer.request)),
    el("p", "request secret", "Cookie: __Host-signoff=••••••••••••"),
    el("p", `status ${kind}`, el("b", "", String(answer.status)), ` ${answer.status_text ?? ""}`),
  ];
  if (answer.www_authenticate) lines.push(el("p", "request", `WWW-Authenticate: ${answer.www_authenticate}`));
  if (answer.body) {
    const body = el("pre", "", excerpt(answer.body));
    // A region that scrolls has to be reachable from the keyboard.
    body.tabIndex = 0;
    body.setAttribute("role", "region");
    body.setAttribute("aria-label", "Answer");
    lines.push(body);
  }
  lines.push(el("p", `verdict ${kind}`, VERDICTS[kind]));
  byId("exchange").replaceChildren(...lines);
}

const complain = (text) => byId("exchange").replaceChildren(el("p", "verdict unclear", text));

async function capture() {
  const button = byId("capture");
  button.disabled = true;
  try {
    const res = await call("POST", "/demo/capture");
    if (res.status === 401) return location.replace("/");
    if (!res.ok) throw new Error(String(res.status));
    const answer = await res.json();
    captured = answer.capture;
    lastStatus = null;
    const note = byId("captured");
    note.replaceChildren("In the notebook: ", el("code", "", answer.preview));
    note.hidden = false;
    byId("replay").disabled = false;
    button.textContent = "Capture it again";
  } catch {
    const note = byId("captured");
    note.textContent = "Nothing was captured: the server could not answer.";
    note.hidden = false;
  } finally {
    button.disabled = false;
  }
}

async function replay() {
  const button = byId("replay");
  button.disabled = true;
  try {
    const res = await call("POST", "/demo/replay", { capture: captured });
    if (res.status === 404) return complain("The notebook no longer has this token. Sign in and capture a new one.");
    if (!res.ok) throw new Error(String(res.status));
    const answer = await res.json();
    lastStatus = answer.status;
    showExchange(answer);
    log(signedOut ? "After logout" : "Before logout", answer.status, answer.status_text ?? "");
  } catch {
    complain("The replay got no answer. Try again.");
  } finally {
    button.disabled = false;
  }
}

function showState(state) {
  const plug = byId("plug");
  plug.checked = state.store_failing === true;
  const onBank = byId("capture") !== null;
  byId("plug-hint").textContent = plug.checked
    ? onBank
      ? "The session store is down. Press Log out: you will be told that you are still signed in. The captured token works on too: nobody has been logged out."
      : "The session store is down. Nobody can sign in or out now. What is dead stays dead: that is answered from memory."
    : "The session store is running. Pull its plug, then try to log out: a logout that cannot be confirmed says so.";
  byId("delivery").textContent = state.delivery === "jwt"
    ? "This server hands out signed JWT access tokens. A JWT vouches for itself until it expires; only a revocation check ends it sooner."
    : "This server hands out opaque access tokens. Each one means something only for as long as the session behind it lives.";
}

async function readState() {
  try {
    const res = await call("GET", "/demo/state");
    if (res.ok) showState(await res.json());
  } catch { /* The panel stays usable; the switch shows its last position. */ }
}

async function pull() {
  const plug = byId("plug");
  plug.disabled = true;
  try {
    const res = await call("POST", "/demo/store", { failing: plug.checked });
    if (!res.ok) throw new Error(String(res.status));
    showState(await res.json());
  } catch {
    plug.checked = !plug.checked;
    byId("plug-hint").textContent = "The switch could not be reached. Nothing was changed.";
  } finally {
    plug.disabled = false;
    plug.focus();
  }
}

byId("capture")?.addEventListener("click", capture);
byId("replay").addEventListener("click", replay);
byId("plug").addEventListener("change", pull);

if (signedOut && captured && byId("story")) {
  byId("story").hidden = true;
  byId("replay-step").hidden = false;
  byId("attacker-intro").textContent = "You have logged out. The thief has not noticed yet.";
  const before = valid(fragment.get("before"), /^[1-5]\d\d$/);
  if (before) log("Before logout", Number(before), { 200: "OK", 401: "Unauthorized", 503: "Service Unavailable" }[before] ?? "");
}

/** Resolves when the panel shows the server's state. */
export const ready = readState();
