// The hook, on a server and with as much of a browser as it touches.
import assert from "node:assert/strict";
import test from "node:test";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { act, create } from "react-test-renderer";
import { useLogout } from "../src/react.js";

let hook;
function Probe(props) {
  hook = useLogout(props);
  return null;
}

test("on a server nothing is pending", () => {
  const Button = () => {
    const { busy, error, pending } = useLogout();
    return createElement("button", { disabled: busy }, error?.message ?? (pending ? "Still signed in" : "Log out"));
  };
  assert.equal(renderToString(createElement(Button)), "<button>Log out</button>");
});

test("in a browser it says what became of the logout", async () => {
  globalThis.IS_REACT_ACT_ENVIRONMENT = true;
  const stored = new Map();
  Object.assign(globalThis, {
    addEventListener() {}, removeEventListener() {},
    location: { href: "https://bank.example/", origin: "https://bank.example", protocol: "https:" },
    localStorage: {
      get length() { return stored.size; },
      key: (at) => [...stored.keys()][at],
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => stored.set(key, value),
      removeItem: (key) => stored.delete(key),
    },
    sessionStorage: { clear() {} },
    Node: class {},
  });
  globalThis.document = { documentElement: { style: { setProperty() {}, removeProperty() {} } } };
  const answers = (status, body) => {
    globalThis.fetch = async () => ({
      status, ok: status === 200, type: "basic", redirected: false, json: async () => body,
      headers: new Headers({ "Content-Type": "application/json", "Retry-After": "3600" }),
    });
  };

  let root;
  await act(async () => { root = create(createElement(Probe, { navigate: false, showsPending: true })); });
  assert.deepEqual([hook.busy, hook.error, hook.pending], [false, null, null]);

  answers(503);
  await act(async () => assert.equal(await hook.logout(), undefined));
  assert.equal(hook.error.reason, "unavailable");
  assert.deepEqual([hook.busy, hook.pending], [false, null]);

  await act(async () => assert.equal((await hook.logout({ unconfirmed: true })).confirmed, false));
  assert.deepEqual([hook.busy, hook.error, hook.pending.url], [false, null, "/logout"]);
  await act(() => hook.retry());
  assert.equal(hook.pending.url, "/logout");
  await act(async () => assert.equal(await hook.forget(() => false), false));
  assert.equal(hook.pending.url, "/logout");

  answers(200, { status: "destroyed", session: true, tokens: true, logout_id: "1" });
  await act(() => hook.retry());
  assert.equal(hook.pending, null);
  assert.deepEqual([...stored], []);
  await act(async () => assert.equal((await hook.logoutEverywhere()).logout_id, "1"));
  assert.equal(hook.busy, false);
  await act(async () => root.unmount());
});
