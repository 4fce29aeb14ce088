// Password fields: show and hide, a hint while Caps Lock is on, and how much is missing to the shortest length. What a
// password must be is decided by the server; without this file it says so after the form is sent.

function after(element, tag, attributes) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  element.after(made);
  return made;
}

for (const reveal of document.querySelectorAll(".reveal")) {
  const input = reveal.querySelector("input");

  // Show or hide. The field keeps its name and autocomplete, and is hidden again before it is sent.
  const toggle = after(input, "button", { type: "button", class: "button button-plain", "aria-controls": input.id });
  const hidden = document.createElement("span");
  hidden.className = "visually-hidden";
  hidden.textContent = " password";
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    toggle.textContent = visible ? "Hide" : "Show";
    toggle.append(hidden);
  };
  toggle.addEventListener("click", () => show(input.type === "password"));
  input.form?.addEventListener("submit", () => show(false));
  show(false);

  const caps = after(reveal, "p", { class: "hint", "aria-live": "polite" });
  const look = (event) => {
    const words = event.getModifierState?.("CapsLock") ? "Caps Lock is on." : "";
    if (caps.textContent !== words) caps.textContent = words;
  };
  for (const name of ["keydown", "keyup"]) input.addEventListener(name, look);
  input.addEventListener("blur", () => { caps.textContent = ""; });

  // Counted as the server counts: characters in Unicode's composed form. Announced once, when it is long enough.
  const shortest = Number(input.dataset.shortest);
  if (!shortest) continue;
  const enough = after(reveal, "p", { class: "hint length", "aria-live": "polite" });
  const missing = after(reveal, "p", { class: "hint length", "aria-hidden": "true" });
  const count = () => {
    const characters = [...input.value.normalize("NFC")];
    const short = characters.length < shortest;
    const few = new Set(characters).size < 5;
    missing.textContent = short && characters.length ? `${characters.length} of at least ${shortest} characters` : "";
    const words = short ? "" : few ? "Long enough, but easy to guess: it has few different characters." : "Long enough.";
    if (enough.textContent !== words) enough.textContent = words;
  };
  input.addEventListener("input", count);
  count();
}
