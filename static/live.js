// Learns of the end of the session without a click, and keeps numbers up to date. Optional: every page works without it.

// One connection for all tabs of a browser: HTTP/1.1 has six for a site. The tab that holds the lock listens while it is
// visible, and tells the others.
const address = document.body.dataset.live;
const me = document.querySelector("input[name=as]")?.value;
let tabs; // a BroadcastChannel while the page is shown: a message would drop it from the back/forward cache
const again = 5000; // milliseconds between two attempts
let listening; // an AbortController
let expired = false; // no attempt before a page has renewed the access token

const wait = (time) => new Promise((resolve) => setTimeout(resolve, time));

const template = document.querySelector("#signed-out");
const notice = template.content.firstElementChild;
notice.querySelector("a").href = "/login?next=" + encodeURIComponent(location.pathname + location.search);

function signedOut() {
  hush();
  expired = true;
  if (!notice.isConnected) template.after(notice);
}

function show(name, data) {
  if (name === "token_expired") expired = true;
  if (name === "session_ended") signedOut();
  if (name !== "numbers") return;
  for (const [key, value] of Object.entries(data)) {
    const number = document.querySelector(`[data-number="${key}"]`);
    if (number) number.textContent = value;
    number?.closest("[data-alarming]")?.classList.toggle("tile-alarm", value !== "0");
  }
}

function tell(name, data) {
  tabs?.postMessage({ name, data });
  show(name, data);
}

function hear({ data }) {
  if (data.name !== "opened") show(data.name, data.data);
  else if (data.data !== me) signedOut();
  else {
    notice.remove();
    expired = false;
    listen();
  }
}

// Returns whether to try again.
async function read(signal) {
  const response = await fetch(address, { signal, headers: { Accept: "text/event-stream" }, cache: "no-store" });
  if (response.status === 401) {
    const problem = await response.json();
    tell(problem.error === "token_expired" ? "token_expired" : "session_ended");
  }
  if (!response.ok) return response.status === 503;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let name, data, rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return true;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      [, name] = event.match(/^event: (.*)$/m) ?? [];
      if (!name) continue;
      data = JSON.parse(event.match(/^data: (.*)$/m)[1]);
      tell(name, data);
      if (["token_expired", "session_ended", "forbidden"].includes(name)) return false;
    }
  }
}

async function listen() {
  if (listening || expired || document.hidden) return;
  const { signal } = (listening = new AbortController());
  try {
    await navigator.locks?.request("live " + address, { signal }, async () => {
      while (!expired && (await read(signal).catch((error) => error.name !== "AbortError"))) {
        await wait(again * (1 + Math.random())); // after a restart not all at once
        if (signal.aborted) return;
      }
    });
  } catch {
    // stopped while it waited for the lock
  }
  if (listening?.signal === signal) listening = undefined;
}

function hush() {
  listening?.abort();
  listening = undefined;
}

document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
addEventListener("pagehide", () => {
  hush();
  tabs?.close();
});
addEventListener("pageshow", () => {
  tabs = new BroadcastChannel("live");
  tabs.onmessage = hear;
  tabs.postMessage({ name: "opened", data: me });
  listen();
});
