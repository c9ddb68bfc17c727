/**
 * The devices on which the person is signed in, and what happened in their account.
 */
import { ago, byId, day, el, icon } from "/assets/common.js";
import { api, Leaving } from "/assets/session.js";

let leaveHere = () => {};

function say(text, kind) {
  byId("session-result").dataset.kind = kind;
  byId("session-result").textContent = text;
}

function showSessions(sessions) {
  const own = [...sessions].sort((a, b) => Number(b.current) - Number(a.current));
  byId("session-list").replaceChildren(...own.map((session) => {
    const end = el("button", "end-session quiet", session.current ? "Log out" : "Sign out");
    end.type = "button";
    end.setAttribute("aria-label", session.current ? "Log out of this device" : `Sign out ${session.device}`);
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
  byId("end-others").hidden = own.length < 2;
}

async function endSession(session, button) {
  // Ending this very session is a logout, and deserves the same proof and the
  // same reset of the browser.
  if (session.current) return leaveHere();
  await end(button, async () => {
    const { ok, status, answer } = await api("DELETE", `/api/sessions/${encodeURIComponent(session.id)}`);
    if (status === 404) return "That session had already ended.";
    return ok && answer.status === "destroyed" ? `The session on ${session.device} was destroyed.` : null;
  });
}

async function endOthers() {
  await end(byId("end-others"), async () => {
    const { ok, answer } = await api("DELETE", "/api/sessions");
    if (!ok || typeof answer.ended !== "number") return null;
    return answer.ended === 1 ? "One other device was signed out." : `${answer.ended} other devices were signed out.`;
  });
}

async function end(button, work) {
  button.disabled = true;
  try {
    const told = await work();
    say(told ?? "The bank could not confirm that. Assume it is still signed in.", told ? "good" : "bad");
    if (!told) return;
    await Promise.all([loadSessions(), loadAudit()]);
    // The button is gone with its row; whoever pressed it goes on from the news.
    byId("session-result").focus();
  } catch (error) {
    if (!(error instanceof Leaving)) say("The bank could not be reached. Assume it is still signed in.", "bad");
  } finally {
    button.disabled = false;
  }
}

function showAudit(events) {
  byId("audit-list").replaceChildren(...events.slice(0, 12).map((event) => {
    const when = el("time", "", day.format(event.at_ms));
    when.dateTime = new Date(event.at_ms).toISOString();
    return el("li", "", when, el("span", "audit-text", event.text), el("span", "muted", event.address ?? "no address"));
  }));
}

export async function loadSessions() {
  const { ok, answer } = await api("GET", "/api/sessions");
  if (!ok) throw new Error("sessions");
  showSessions(answer.sessions);
}

export async function loadAudit() {
  const { ok, answer } = await api("GET", "/api/audit");
  if (!ok) throw new Error("audit");
  showAudit(answer.events);
}

/** `leave` logs this device out. */
export function manage(leave) {
  leaveHere = leave;
  byId("end-others").addEventListener("click", endOthers);
}
