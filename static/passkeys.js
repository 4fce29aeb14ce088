// Passkeys: lets the device sign what the page asks, puts that into the form, and sends it. See app/mfa/passkeys.py.

const SENT_FOR = 5000; // milliseconds until a form may be sent again: the answer may never come

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
const base64url = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function understood(options) {
  const known = (options.excludeCredentials ?? []).map((each) => ({ ...each, id: bytes(each.id) }));
  const wanted = { ...options, challenge: new TextEncoder().encode(options.challenge) };
  return options.user ? { ...wanted, user: { ...options.user, id: bytes(options.user.id) }, excludeCredentials: known } : wanted;
}

function written(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = base64url(credential.response[name]);
  }
  return JSON.stringify({ id: credential.id, rawId: credential.id, type: credential.type, response, clientExtensionResults: {} });
}

let waiting = new AbortController(); // of the question before: one that waits makes every other fail

async function answered(options, ways = {}) {
  waiting.abort();
  waiting = new AbortController();
  const publicKey = understood(JSON.parse(options));
  const asked = { publicKey, signal: waiting.signal, ...ways };
  return written(await navigator.credentials[publicKey.user ? "create" : "get"](asked));
}

// What the browser can do besides; one that cannot be asked is asked for what it had before that.
async function capabilities() {
  const known = await window.PublicKeyCredential?.getClientCapabilities?.();
  return known ?? { conditionalGet: await window.PublicKeyCredential?.isConditionalMediationAvailable?.() };
}

// A sign-in with the password says whether this device could keep a passkey.
for (const field of document.querySelectorAll("[data-can-keep-passkeys]")) {
  window.PublicKeyCredential?.isUserVerifyingPlatformAuthenticatorAvailable?.()
    .then((can) => { field.value = can ? "1" : ""; }, () => {});
}

// The offer after it. The challenge is in the address: who comes to the page in another way has none.
const offered = document.querySelector("[data-offered-after-sign-in]");
if (offered && location.hash.length > 1) {
  const options = JSON.parse(offered.dataset.offeredAfterSignIn);
  offered.dataset.passkey = JSON.stringify({ ...options, challenge: location.hash.slice(1) });
  history.replaceState(null, "", location.pathname + location.search);
  keepUnasked(offered).catch(() => {}); // not now, or a click on the button took its place
}

// A browser whose password manager has just filled in the password may make the passkey without a question.
async function keepUnasked(form) {
  if (!(await capabilities()).conditionalCreate) return;
  form.elements.credential.value = await answered(form.dataset.passkey, { mediation: "conditional" });
  form.submit();
}

// A form that a device answers (data-passkey), one that may be proved by a passkey (data-proof), or both in turn.
for (const form of document.querySelectorAll("form:is([data-passkey], :has([data-proof]))")) {
  if (!window.PublicKeyCredential) continue;
  const told = form.querySelector("[data-refused]");
  const proof = form.querySelector("[data-proof]");
  const instead = form.querySelector("[data-instead] input");
  const answer = form.elements.credential;
  form.hidden = false;
  document.querySelector("[data-without-passkeys]")?.remove();
  if (instead) {
    const choose = () => { form.querySelector("[data-typed]").hidden = instead.checked; };
    instead.closest("[data-instead]").hidden = false;
    instead.addEventListener("change", choose);
    choose();
  }
  let busy = false; // the device is asked, or the form is on its way: a second click is the first one still
  const free = () => { busy = false; };
  addEventListener("pageshow", free);
  form.addEventListener("submit", async (event) => {
    const proves = instead?.checked;
    if (!proves && !form.dataset.passkey) return;
    event.preventDefault();
    if (busy) return;
    busy = true;
    told.hidden = true;
    try {
      if (!proves) { if (proof) proof.value = ""; }
      else if (!proof.value) proof.value = await answered(proof.dataset.proof);
      if (form.dataset.passkey && !answer.value) answer.value = await answered(form.dataset.passkey);
      if (event.submitter?.hasAttribute("formaction")) form.action = event.submitter.formAction;
      form.submit();
      setTimeout(free, SENT_FOR);
    } catch {
      told.hidden = false; // called off, or there is none for this site: the same to the page
      free();
    }
  });
}

// Signs in with the form of the page behind the link, sent from here.
async function signIn(link, ways) {
  const answer = await fetch(link.href);
  const form = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("form[data-passkey]");
  form.elements.credential.value = await answered(form.dataset.passkey, ways);
  document.body.append(document.adoptNode(form));
  form.submit();
}

// Offered among the names at the field of the address. A click on the link asks at once where this device has a passkey, and
// leads to the other page where it has none; a browser that can do neither follows the link.
async function offer(link) {
  const { conditionalGet, immediateGet } = await capabilities();
  if (immediateGet) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // to a tab or window of its own
      event.preventDefault();
      signIn(link, { uiMode: "immediate" }).catch(() => location.assign(link.href));
    });
  }
  if (conditionalGet) await signIn(link, { mediation: "conditional" });
}

for (const link of document.querySelectorAll("a[data-offered-passkey]")) {
  offer(link).catch(() => {}); // nobody chose one, or the page was left
}
