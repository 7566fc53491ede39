"use strict";
// A passkey is asked of the browser, and what it answers is sent by the page's own form.
for (const form of document.querySelectorAll("form.passkey")) {
  if (!window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    const code = form.elements.code;
    if (form.elements.credential.value || (code && code.value.trim())) return;
    event.preventDefault();
    const wrong = form.querySelector(".wrong");
    wrong.hidden = true;
    try {
      const making = form.dataset.create;
      const answer = await fetch(making || form.dataset.options, {
        method: "POST", credentials: "same-origin", headers: { "X-CSRFToken": form.elements.csrf_token.value },
      });
      const options = await answer.json();
      const credential = making
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
      form.elements.credential.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch {
      wrong.hidden = false;
    }
  });
}
