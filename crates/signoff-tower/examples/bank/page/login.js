/**
 * The sign-in page. It stores nothing in the browser.
 */
import { ready } from "/assets/attacker.js";
import { byId } from "/assets/common.js";

const form = byId("login-form");
const error = byId("login-error");

const MESSAGES = {
  401: "That user name and password do not match.",
  429: "Too many attempts. Wait a moment, then try again.",
  503: "The bank cannot sign anyone in right now. Try again in a moment.",
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const user = byId("user");
  const password = byId("password");
  error.textContent = "";
  const missing = [user, password].find((field) => field.value === "");
  for (const field of [user, password]) field.toggleAttribute("aria-invalid", false);
  if (missing) {
    missing.setAttribute("aria-invalid", "true");
    error.textContent = missing === user ? "Enter your user name." : "Enter your password.";
    missing.focus();
    return;
  }
  const button = byId("login-submit");
  button.disabled = true;
  button.textContent = "Signing in…";
  try {
    const res = await fetch("/login", {
      method: "POST",
      credentials: "same-origin",
      cache: "no-store",
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-Signoff": "1" },
      body: JSON.stringify({ user: user.value.trim(), password: password.value }),
    });
    if (res.ok) {
      password.value = "";
      location.assign("/bank");
      return;
    }
    error.textContent = MESSAGES[res.status] ?? "Signing in did not work. Try again.";
    if (res.status === 401) {
      password.setAttribute("aria-invalid", "true");
      password.select();
    }
  } catch {
    error.textContent = "The bank could not be reached. Check your connection, then try again.";
  }
  button.disabled = false;
  button.textContent = "Sign in";
});

for (const person of document.querySelectorAll(".person")) {
  person.addEventListener("click", () => {
    byId("user").value = person.dataset.user;
    byId("password").value = person.dataset.password;
    error.textContent = "";
    byId("login-submit").focus();
  });
}

// A page restored from the back/forward cache would keep the button disabled.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  byId("login-submit").disabled = false;
  byId("login-submit").textContent = "Sign in";
});

await ready;
document.body.dataset.ready = "true";
