// Copies text: buttons with the text in data-copy, and one at each piece of code. Without this file there is no such button.

const SAID_FOR = 2000; // milliseconds that a button says what it did
const told = document.createElement("p"); // filled later: a live region that comes with its text is not announced
told.className = "visually-hidden";
told.setAttribute("aria-live", "polite");
document.body.append(told);

function copies(button, text) {
  const words = button.querySelector("span");
  const name = words.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const done = await navigator.clipboard.writeText(text()).then(() => "Copied", () => "Not copied: select the text");
    words.textContent = told.textContent = done;
    setTimeout(() => { words.textContent = name; told.textContent = ""; }, SAID_FOR);
  });
}

for (const button of document.querySelectorAll("[data-copy]")) copies(button, () => button.dataset.copy);

// Of lines with a prompt only the commands; nothing of what was printed.
function typed(text) {
  const commands = text.match(/^\$ .*(?<=\\)(?:\n.*(?<=\\))*\n.*$|^\$ .*$/gm);
  return commands ? commands.map((line) => line.slice(2)).join("\n") : text.trimEnd();
}

for (const code of document.querySelectorAll("figure.code:not(.code-happened, .code-output) pre > code:not(:has(.source-line))")) {
  const button = document.createElement("button");
  const words = document.createElement("span");
  button.type = "button";
  button.className = "copy";
  words.textContent = "Copy";
  button.append(words);
  code.closest("figure").append(button);
  copies(button, () => typed(code.textContent));
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
