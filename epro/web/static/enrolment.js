"use strict";
// The dates that follow are shown as soon as a day that they hang on is typed. Without this script a button asks.
const button = document.querySelector("button[data-preview]");
const form = button.form;
let asked = 0;

async function show() {
  const turn = (asked += 1);
  const answer = await fetch(button.formAction.split("#")[0], {
    method: "POST", credentials: "same-origin", body: new URLSearchParams(new FormData(form)),
  });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const dates = page.getElementById("dates");
  if (turn !== asked || !dates) return;
  dates.querySelector("button").remove();
  document.getElementById("dates").replaceChildren(...dates.childNodes, button);
}

for (const name of ["consented_on", "randomised_on", "texts_allowed", "phone"]) {
  for (const field of form.querySelectorAll(`[name="${name}"]`)) {
    field.addEventListener("change", () => { if (form.elements.consented_on.value) show(); });
  }
}
button.addEventListener("click", (event) => { event.preventDefault(); show(); });
