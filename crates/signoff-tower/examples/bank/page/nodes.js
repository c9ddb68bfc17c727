/**
 * The nodes of the bank, when there are several: where each is, how far it has
 * applied the log, whether it may answer, and a switch that cuts it off.
 */
import { byId, call, el } from "/assets/common.js";

const EVERY_MS = 1000;
const rows = new Map();
let polling = false;
let told = "";

/** The same page of another node. All nodes are on one host, by whichever name it is called here. */
function link(address) {
  const url = new URL("/", location.href);
  url.port = address.slice(address.lastIndexOf(":") + 1);
  url.hash = told;
  return url.href;
}

/** What the links to the other nodes carry along in their fragment. */
export function carry(fragment) {
  told = fragment;
  for (const [address, { name }] of rows) name.href = link(address);
}

function makeRow(node) {
  const name = el("a", "node-name", node.address);
  name.href = link(node.address);
  const title = el("span", "node-title", name);
  if (node.is_self) {
    name.setAttribute("aria-current", "page");
    title.append(el("span", "pill", "This one"));
  }
  const plug = el("input", "switch");
  plug.type = "checkbox";
  plug.setAttribute("role", "switch");
  plug.setAttribute("aria-label", `Cut off ${node.address} from the database`);
  plug.addEventListener("change", () => cutOff(node.address, plug));
  const state = el("p", "node-state");
  const item = el("li", "", el("div", "switch-row", title, el("label", "", "Cut off", plug)), state);
  item.dataset.node = node.address;
  return { item, name, plug, state };
}

async function cutOff(address, plug) {
  plug.disabled = true;
  try {
    const res = await call("POST", "/demo/store", { failing: plug.checked, node: address });
    if (!res.ok) throw new Error(String(res.status));
    showNodes((await res.json()).nodes);
  } catch {
    plug.checked = !plug.checked;
    say("The switch could not be reached. Nothing was changed.");
  } finally {
    plug.disabled = false;
    plug.focus();
  }
}

/** A screen reader hears of what has changed, not of every look. */
function say(text) {
  if (byId("nodes-hint").textContent !== text) byId("nodes-hint").textContent = text;
}

function describe(nodes) {
  const names = (some) => some.map((node) => node.address).join(" and ");
  const silent = nodes.filter((node) => !node.may_answer);
  if (silent.length > 0) {
    return `${names(silent)}: the lease has run out, so nobody is let in. Who has logged out meanwhile cannot be known there.`;
  }
  const cut = nodes.filter((node) => node.cut_off);
  return cut.length > 0
    ? `${names(cut)}: cut off, and answering until the lease runs out. A logout on another node waits for that.`
    : "A node that is cut off from the database stops answering within five seconds, by itself.";
}

/** Shows the nodes; with one there is nothing to see. */
export function showNodes(nodes) {
  if (nodes.length < 2) return;
  for (const node of nodes) {
    if (!rows.has(node.address)) {
      const row = makeRow(node);
      rows.set(node.address, row);
      byId("node-list").append(row.item);
    }
    const { item, plug, state } = rows.get(node.address);
    item.dataset.mayAnswer = String(node.may_answer);
    if (!plug.disabled) plug.checked = node.cut_off;
    const answers = node.may_answer ? "may answer" : "may not answer";
    state.textContent = node.applied === null ? `${answers} · cut off from the log` : `${answers} · log applied to ${node.applied}`;
  }
  say(describe(nodes));
  byId("nodes-step").hidden = false;
  // The one switch of a bank with one node.
  byId("plug").closest("section").hidden = true;
  poll();
}

/** Looks again and again; a slow answer delays the next look. */
async function poll() {
  if (polling) return;
  polling = true;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    if (document.hidden) continue;
    try {
      const res = await call("GET", "/demo/state");
      if (res.ok) showNodes((await res.json()).nodes);
    } catch { /* The next look is a second away. */ }
  }
}
