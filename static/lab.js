// Optional additions to the Token Lab: every page works without this file.

// Update the countdowns, which the server has rendered with their first value.
const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const distance = (seconds) => {
  let rest = Math.abs(seconds);
  const words = [];
  for (const [unit, length] of units) {
    const count = Math.floor(rest / length);
    rest %= length;
    if (count || (unit === "second" && !words.length)) words.push(`${count} ${unit}${count === 1 ? "" : "s"}`);
  }
  return `${words.slice(0, 2).join(" ")} ${seconds > 0 ? "left" : "ago"}`;
};
const ticking = document.querySelectorAll("[data-until]");
const tick = () => {
  for (const each of ticking) each.textContent = distance(Math.trunc((Date.parse(each.dataset.until) - Date.now()) / 1000));
};
if (ticking.length) setInterval(tick, 1000);

// Show the value of each slider.
for (const output of document.querySelectorAll(".slider output")) {
  const input = document.getElementById(output.htmlFor.value);
  input.addEventListener("input", () => { output.value = input.value; });
}

// Show what a script on this page can read. The token in localStorage is a worthless sample.
const place = document.querySelector("[data-reach]");
if (place) {
  const key = "token-lab-sample";
  localStorage.setItem(key, "a token kept in localStorage");
  const found = [
    ["document.cookie", document.cookie || "(empty: both cookies are HttpOnly)"],
    [`localStorage.getItem("${key}")`, localStorage.getItem(key)],
  ];
  localStorage.removeItem(key);
  const list = document.createElement("dl");
  for (const [what, value] of found) {
    const group = document.createElement("div"), term = document.createElement("dt"), said = document.createElement("dd");
    term.append(Object.assign(document.createElement("code"), { textContent: what }));
    said.textContent = value;
    group.append(term, said);
    list.append(group);
  }
  place.append(list);
}
