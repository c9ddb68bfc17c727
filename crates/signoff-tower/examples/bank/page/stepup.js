/**
 * Asks for the password once more, in a dialog, when the bank wants to be sure. The browser keeps the focus inside of a
 * modal dialog, lets Escape cancel it, and gives the focus back afterwards.
 */
import { byId, call } from "/assets/common.js";

const dialog = byId("step-up");
const form = byId("step-up-form");
const password = byId("step-up-password");
const error = byId("step-up-error");

function say(text) {
  error.textContent = text;
  password.toggleAttribute("aria-invalid", false);
  if (text) password.setAttribute("aria-invalid", "true");
}

const ERRORS = {
  422: "That is not your password.",
  503: "The bank cannot check your password right now. Nothing was sent.",
};

/** Resolves to true when the person has proved who they are, to false when they cancel, to null when nobody is signed in. */
export function stepUp(what, age) {
  byId("step-up-age").textContent = age === 60 ? "minute" : `${age} seconds`;
  byId("step-up-what").textContent = what;
  password.value = "";
  say("");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const ended = new AbortController();
    const { signal } = ended;
    let outcome = false;
    const close = (result) => { outcome = result; dialog.close(); };
    dialog.addEventListener("close", () => {
      ended.abort();
      password.value = "";
      resolve(outcome);
    }, { signal });
    byId("step-up-cancel").addEventListener("click", () => close(false), { signal });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = byId("step-up-submit");
      if (button.disabled) return;
      button.disabled = true;
      try {
        const res = await call("POST", "/step-up", { password: password.value });
        if (signal.aborted) return;
        if (res.ok) return close(true);
        if (res.status === 401) return close(null);
        say(ERRORS[res.status] ?? "That did not work. Try again.");
        password.select();
      } catch {
        say("The bank could not be reached. Nothing was sent.");
      } finally {
        button.disabled = false;
      }
    }, { signal });
  });
}
