/**
 * The thief's panel, on both pages. It never handles the token itself: the
 * server keeps what was captured, and this page refers to it by an id that is
 * worth nothing to anyone else.
 */

import { byId, call, el } from "/assets/common.js";
import { carry, showNodes } from "/assets/nodes.js";

// The id has to outlive a logout that clears all storage, and goes along to other
// nodes, so it travels in the fragment. Anyone can write a link with a fragment,
// hence the strict patterns.
const fragment = new URLSearchParams(location.hash.slice(1));
const valid = (value, pattern) => (value !== null && pattern.test(value) ? value : null);

export const signedOut = fragment.has("signed-out");
let captured = valid(fragment.get("captured"), /^[\w-]{1,128}$/);
/** What each node said to the last replay before the logout, such as "200-200-200". */
let before = captured && valid(fragment.get("before"), /^[1-5]\d\d(-[1-5]\d\d){0,8}$/);

/** The story so far, for the fragment of the next page. */
const story = () => (captured ? `captured=${encodeURIComponent(captured)}${before ? `&before=${before}` : ""}` : "");

/** Where to go after a logout. */
export const nextPage = () => (captured ? `/goodbye#signed-out&${story()}` : "/goodbye#signed-out");

/** Where to go when the session has ended elsewhere. */
export const frontPage = () => (captured ? `/#${story()}` : "/");

const tone = (status) => (status >= 200 && status < 300 ? "got-in" : status === 401 ? "kept-out" : "unclear");

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

const TEXTS = { 200: "OK", 401: "Unauthorized", 503: "Service Unavailable" };

/** One step of the story: one status, or that of each node. */
function log(when, statuses, text) {
  const item = el("li", overall(statuses),
    el("span", "when", when),
    el("strong", "", `${statuses.join(" ")} ${statuses.length === 1 ? text : ""}`.trim()));
  item.dataset.status = statuses.join(" ");
  item.dataset.when = when === "Before logout" ? "before" : "after";
  byId("replay-log").append(item);
  byId("log-step").hidden = false;
}

/** One node that lets the thief in is enough for the thief. */
function overall(statuses) {
  const tones = statuses.map(tone);
  return tones.includes("got-in") ? "got-in" : tones.includes("kept-out") ? "kept-out" : "unclear";
}

function verdict(statuses) {
  const all = statuses.length;
  const count = (kind) => statuses.filter((status) => tone(status) === kind).length;
  const [working, dead] = [count("got-in"), count("kept-out")];
  if (all === 1) return VERDICTS[tone(statuses[0])];
  if (working === all) return `The token works on all ${all} nodes. The thief reads the accounts.`;
  if (working > 0) return `The token works on ${working} of ${all} nodes. The thief reads the accounts.`;
  if (dead === all) return `The token is dead on all ${all} nodes. The thief gets nothing.`;
  if (dead === 0) return "No node can check the token, so none trusts it.";
  return `The thief gets nothing: the token is dead on ${dead} of ${all} nodes, and the rest cannot check it.`;
}

function bodyOf({ body, address }) {
  const text = el("pre", "", excerpt(body));
  // A region that scrolls has to be reachable from the keyboard.
  text.tabIndex = 0;
  text.setAttribute("role", "region");
  text.setAttribute("aria-label", address ? `Answer of ${address}` : "Answer");
  return text;
}

function showOne(answer) {
  const lines = [el("p", `status ${tone(answer.status)}`, el("b", "", String(answer.status)), ` ${answer.status_text ?? ""}`)];
  if (answer.www_authenticate) lines.push(el("p", "request", `WWW-Authenticate: ${answer.www_authenticate}`));
  if (answer.body) lines.push(bodyOf({ body: answer.body }));
  return lines;
}

/** A row for each node, which opens to show the whole answer. */
function showEach(answers) {
  return el("ul", "answers", ...answers.map((answer) => {
    const said = String(answer.body ?? "").slice(0, 200);
    const row = el("li", "", el("details", "",
      el("summary", "",
        el("span", "node-name", answer.address),
        el("strong", tone(answer.status), `${answer.status} ${answer.status_text ?? ""}`.trim()),
        el("code", "", said || "no body")),
      bodyOf(answer)));
    row.dataset.node = answer.address;
    row.dataset.status = String(answer.status);
    return row;
  }));
}

function showExchange(answers) {
  const statuses = answers.map((answer) => answer.status);
  byId("exchange").replaceChildren(
    el("p", "request", el("span", "", answers[0].request)),
    el("p", "request secret", "Cookie: __Host-signoff=••••••••••••"),
    ...(answers.length === 1 ? showOne(answers[0]) : [showEach(answers)]),
    el("p", `verdict ${overall(statuses)}`, verdict(statuses)));
}

const complain = (text) => byId("exchange").replaceChildren(el("p", "verdict unclear", text));

async function capture() {
  const button = byId("capture");
  button.disabled = true;
  try {
    const res = await call("POST", "/demo/capture");
    if (res.status === 401) return location.replace(frontPage());
    if (!res.ok) throw new Error(String(res.status));
    const answer = await res.json();
    captured = answer.capture;
    before = null;
    carry(story());
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
    const { answers } = await res.json();
    const statuses = answers.map((answer) => answer.status);
    showExchange(answers);
    // Another page, of this node or of another, may have logged out meanwhile.
    const after = signedOut || statuses.includes(401);
    log(after ? "After logout" : "Before logout", statuses, answers[0].status_text ?? "");
    document.dispatchEvent(new CustomEvent("replayed", { detail: { text: `${statuses.join(" ")}: ${verdict(statuses)}`, tone: overall(statuses) } }));
    if (!after) before = statuses.join("-");
    carry(story());
  } catch {
    complain("The replay got no answer. Try again.");
  } finally {
    button.disabled = false;
  }
}

function showState(state) {
  showNodes(state.nodes);
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

if (captured && byId("story")) {
  byId("story").hidden = true;
  byId("replay-step").hidden = false;
  byId("attacker-intro").textContent = signedOut
    ? "You have logged out. The thief has not noticed yet."
    : "You are not signed in here. The thief has the token still.";
} else if (captured) {
  byId("captured").textContent = "In the notebook: what you captured on the page before.";
  byId("captured").hidden = false;
  byId("replay").disabled = false;
  byId("capture").textContent = "Capture it again";
}
if (before) log("Before logout", before.split("-").map(Number), TEXTS[before.split("-")[0]] ?? "");
carry(story());

/** Resolves when the panel shows the server's state. */
export const ready = readState();
