/**
 * The theme: the system's, or one that the person chose. It is in a cookie of its own, which a logout leaves alone: the
 * bank answers a logout with Clear-Site-Data, and that empties localStorage whatever signoff.js is told to keep. The
 * server writes the theme into the page, so that none flashes by in another one.
 */
const NAMES = ["light", "dark", "contrast"];
const select = document.getElementById("theme");
const root = document.documentElement;

select.value = NAMES.includes(root.dataset.theme) ? root.dataset.theme : "system";
select.addEventListener("change", () => {
  const chosen = NAMES.includes(select.value);
  if (chosen) root.dataset.theme = select.value;
  else delete root.dataset.theme;
  document.cookie = `theme=${chosen ? select.value : ""}; Path=/; SameSite=Lax; Max-Age=${chosen ? 31_536_000 : 0}`;
});
