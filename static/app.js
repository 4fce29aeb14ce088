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

// A page kept by the back/forward cache may belong to someone who has signed out since: ask the server again.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// Show or hide a password. The field keeps its name and autocomplete, and is hidden again before it is sent.
for (const input of document.querySelectorAll(".reveal input")) {
  const toggle = document.createElement("button");
  const hidden = document.createElement("span");
  hidden.className = "visually-hidden";
  hidden.textContent = " password";
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    toggle.textContent = visible ? "Hide" : "Show";
    toggle.append(hidden);
  };
  toggle.type = "button";
  toggle.className = "button button-plain";
  toggle.setAttribute("aria-controls", input.id);
  toggle.addEventListener("click", () => show(input.type === "password"));
  input.form?.addEventListener("submit", () => show(false));
  show(false);
  input.after(toggle);
}

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
