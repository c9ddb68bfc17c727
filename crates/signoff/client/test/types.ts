// What the compiler lets through and what it does not. Nothing here runs.
import {
  SignoffError, forgetPendingLogout, logout, logoutEverywhere, onLogout, onPending, pendingLogout, retryPendingLogout,
  type Confirmed, type LogoutEvent, type Options, type Pending, type Reason, type Unconfirmed,
} from "signoff";
import { useLogout } from "signoff/react";

// A logout that was not asked to be unconfirmed has a proof.
const proof: Confirmed = await logout({ keep: ["theme"], clear: { caches: false } });
const id: string = (await logoutEverywhere()).logout_id;

// One that was must be asked.
const outcome = await logout({ unconfirmed: true });
// @ts-expect-error: nobody has proven anything yet.
outcome.logout_id;
if (outcome.confirmed) {
  const done: Confirmed = outcome;
} else {
  const not: Unconfirmed = outcome;
  const why: "offline" | "timeout" | "unavailable" = outcome.reason;
}
// @ts-expect-error: the same.
const taken: Confirmed = await logout({ unconfirmed: true });

// @ts-expect-error: there is no such option.
await logout({ unconfirmd: true });
// @ts-expect-error: nor anything of that name to clear.
await logout({ clear: { cookies: true } });

const options: Options = { next: "/", timeout: 5_000, databases: ["mail"], keepPrefixes: ["consent:"], navigate: false };
const end: () => void = onLogout((event: LogoutEvent) => void event.here);
onPending((pending: Pending) => document.createTextNode(new Date(pending.since).toString()));
onPending(() => true);
onPending(async () => {});
// @ts-expect-error: text is no Node.
onPending(() => "still signed in");
const pending: Pending | null = pendingLogout();
const still: Pending | null = await retryPendingLogout();
const answer: Response | undefined = await forgetPendingLogout(() => fetch("/login", { method: "POST" }));
await forgetPendingLogout();

try {
  await logout(options);
} catch (error) {
  if (error instanceof SignoffError) {
    const reason: Reason = error.reason;
    const wait: number | undefined = error.retryAfter;
    // @ts-expect-error: there is no such reason.
    if (error.reason === "success") end();
  }
}

export function Button() {
  const { busy, error, logout, pending } = useLogout({ next: "/bye", showsPending: true });
  const wait: boolean = busy;
  const text: string | undefined = error?.message;
  // @ts-expect-error: it may have gone wrong, and then there is no outcome.
  void logout().then((outcome) => outcome.confirmed);
  return pending ? pending.since : text;
}
