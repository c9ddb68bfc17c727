// Keeps pages for when the network is away, and lets go of them when it is told of a logout.
let keeps = true;

addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && keeps) event.respondWith(answer(event.request));
});

async function answer(request) {
  try {
    const fresh = await fetch(request);
    // Asked again, because an answer that was on its way during the logout must not be kept.
    if (fresh.ok && keeps) await (await caches.open("pages")).put(request, fresh.clone());
    return fresh;
  } catch {
    return (await caches.match(request)) ?? Response.error();
  }
}

addEventListener("message", (event) => {
  if (event.data !== "logout") return;
  keeps = false;
  const emptied = caches.keys().then((names) => Promise.all(names.map((name) => caches.delete(name))));
  event.waitUntil(emptied.then(() => event.ports[0].postMessage("done")));
});
