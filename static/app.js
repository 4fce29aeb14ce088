// Niceties only: every page works without this file.

// A form is sent once: of two clicks the second would only make the browser drop the answer to the first. After a while it
// may be sent again, for a download leaves the page where it is; so may it after "back". Without this file the server
// gives both the same answer (app/auth/idempotency.py).
const SENT_FOR = 5000; // milliseconds
const sent = new Set();
addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (sent.has(form)) event.preventDefault();
  else setTimeout(() => sent.delete(form), SENT_FOR);
  sent.add(form);
});
addEventListener("pageshow", () => sent.clear());

// A page kept by the back/forward cache may belong to someone who has signed out since: ask the server again. To load it
// anew loses what was typed, so a form with something in it stays if the same person is signed in still; until that is
// known nothing is shown.
const typed = (form) => [...form.elements].some((each) =>
  each.matches("input:not([type=hidden], [type=password]), textarea") && each.value !== each.defaultValue);
addEventListener("pageshow", async (event) => {
  if (!event.persisted) return;
  const owner = document.querySelector("main form input[name=as]");
  if (!owner?.value || ![...document.querySelectorAll("main form")].some(typed)) return location.reload();
  document.body.hidden = true;
  const answer = await fetch("/api/auth/me", { cache: "no-store" }).catch(() => null);
  const now = answer?.ok ? (await answer.json()).user_id : "";
  if (now !== owner.value) return location.reload();
  document.body.hidden = false;
});

// The account menu closes at Escape, at a click beside it, and when the focus leaves it.
for (const menu of document.querySelectorAll(".menu")) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
  addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
}

// A form with a text of several lines asks before it is left unsent.
for (const form of document.querySelectorAll("form:has(textarea)")) {
  let sending = false;
  form.addEventListener("submit", () => { sending = true; });
  addEventListener("pageshow", () => { sending = false; });
  addEventListener("beforeunload", (event) => {
    if (!sending && typed(form)) event.preventDefault();
  });
}

// After a fault: back to the form, where the browser has kept what was typed.
document.querySelector("[data-back]")?.addEventListener("click", (event) => {
  if (history.length < 2) return;
  event.preventDefault();
  history.back();
});

// Times in the browser's own zone, with UTC beside them.
for (const time of document.querySelectorAll("time[datetime*=T]")) {
  const at = new Date(time.dateTime);
  if (!at.getTimezoneOffset()) continue;
  const clock = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const day = at.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
  const [, utc] = time.textContent.match(/, (\d\d:\d\d UTC)$/) ?? [];
  if (utc) time.textContent = `${day}, ${clock} (${utc})`;
  else time.title = `${day}, ${clock} (${time.title})`;
}
