/**
 * What the scripts of the bank's pages have in common.
 */
export const byId = (id) => document.getElementById(id);

export function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

export async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-Signoff"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return fetch(path, {
    method, headers, cache: "no-store", credentials: "same-origin",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

export const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export function ago(ms) {
  const seconds = Math.round((Date.now() - ms) / 1000);
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (seconds < 60) return "just now";
  if (seconds < 3600) return relative.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86_400) return relative.format(-Math.round(seconds / 3600), "hour");
  return relative.format(-Math.round(seconds / 86_400), "day");
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

// What the goodbye page shows of a logout is known only once the browser is being cleared, and all storage with it. The
// name of the window outlives that, in each tab for itself; it is emptied when it has been read.
const RECEIPT = "bank-receipt ";

export function keepReceipt(id) {
  window.name = `${RECEIPT}${Date.now()} ${id}`;
}

export function takeReceipt() {
  const found = /^bank-receipt (\d{1,15}) ([\w-]{0,64})$/.exec(window.name);
  window.name = "";
  return found && { at: Number(found[1]), id: found[2] };
}
