// Says on a page with a form, five minutes before, that the session is about to end. Optional: every page works without it.

const template = document.querySelector("#session-end");
const given = template.dataset;
const me = document.querySelector("input[name=as]").value;
const WARNING = 5 * 60_000; // milliseconds, as are all times here
const EVERY = 5000; // a timer for the end itself would stop while the computer sleeps, and overflow after 24 days
const ahead = Date.now() - Date.parse(given.now); // this computer's clock may be wrong
let ends = Date.parse(given.ends);
let idleEnds = Date.parse(given.idleEnds);
let tabs; // a BroadcastChannel while the page is shown: a message would drop it from the back/forward cache
let shown = ""; // the name of a message
let extendedAt = 0;
let before; // what had the focus before the notice

const region = document.createElement("div");
region.className = "session-end";
region.setAttribute("role", "status");
region.addEventListener("focusin", ({ relatedTarget }) => {
  if (!region.contains(relatedTarget)) before = relatedTarget;
});

function show(name) {
  if (name === shown) return;
  shown = name;
  if (!name) return region.remove();
  if (region.isConnected) return fill();
  region.replaceChildren();
  template.after(region);
  setTimeout(fill, 200); // a screen reader announces what changes in a region that it knows
}

function fill() {
  if (!shown) return;
  const focused = region.querySelector(":focus");
  const message = template.content.querySelector(`[data-message=${shown}]`).cloneNode(true);
  const at = new Date(Math.min(ends, idleEnds) + ahead);
  const time = message.querySelector("time");
  if (time) {
    time.dateTime = at.toISOString();
    time.textContent = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  }
  const next = message.querySelector("a, button");
  if (next?.href) next.href = "/login?next=" + encodeURIComponent(location.pathname + location.search);
  else next?.addEventListener("click", () => extend());
  region.replaceChildren(message);
  if (focused) (next ?? before ?? document.querySelector("main")).focus({ preventScroll: true });
}

function look() {
  const now = Date.now() - ahead;
  const left = Math.min(ends, idleEnds) - now;
  if (left <= 0) show("ended");
  else if (shown === "extended" && Date.now() - extendedAt < 2 * EVERY) return;
  else if (left > WARNING) show("");
  else if (ends <= idleEnds) show("final");
  else if (shown !== "failed") show("idle");
}

async function extend(headers = {}) {
  const answer = await fetch("/api/auth/refresh", { method: "POST", headers }).catch(() => null);
  if (answer?.status === 409 && !headers["X-Refresh-Retry"]) return extend({ "X-Refresh-Retry": "1" });
  if (answer?.status === 401) {
    ends = 0;
    return look();
  }
  if (!answer?.ok) return show("failed");
  const { expires_in: seconds } = await answer.json();
  idleEnds = Date.now() - ahead + (seconds + Number(given.idleSeconds)) * 1000;
  extendedAt = Date.now();
  show("extended");
  tell();
}

// Another tab may have extended the session, or signed in again: the later end is the true one.
const tell = () => tabs?.postMessage({ me, ends, idleEnds });

function hear({ data }) {
  if (data.me !== me) return;
  const later = data.ends < ends || data.idleEnds < idleEnds;
  ends = Math.max(ends, data.ends);
  idleEnds = Math.max(idleEnds, data.idleEnds);
  if (later) tell();
  look();
}

addEventListener("pageshow", () => {
  tabs = new BroadcastChannel("session-end");
  tabs.onmessage = hear;
  tell();
  look();
});
addEventListener("pagehide", () => tabs?.close());
document.addEventListener("visibilitychange", look);
setInterval(look, EVERY);
