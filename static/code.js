// Sends the form as soon as the field has six digits: once, so that a wrong code can be corrected. A form that is on its
// way is not sent again (app.js).

const input = document.querySelector("[data-sends-itself]");
const hint = document.getElementById(input.getAttribute("aria-describedby").split(" ")[0]);
let sent = false;
hint.append(" The sixth one sends the form.");
input.addEventListener("input", () => {
  if (sent || !/^\d{6}$/.test(input.value.replace(/\s/g, ""))) return;
  sent = true;
  input.form.requestSubmit();
});
