// A filter or a sorted column shows its rows without a new page, and the address follows. Without this they load anew.
"use strict";
(function () {
  function show(address, keep) {
    return fetch(address, { headers: { "Accept": "text/html" } }).then(function (answer) {
      if (!answer.ok || answer.redirected) { location.assign(address); return; }
      return answer.text().then(function (text) {
        var page = new DOMParser().parseFromString(text, "text/html"), focused = document.activeElement && document.activeElement.id;
        document.getElementById("main").replaceWith(page.getElementById("main"));
        document.title = page.title;
        if (keep) { history.pushState(null, "", address); }
        if (focused && document.getElementById(focused)) { document.getElementById(focused).focus(); }
      });
    }, function () { location.assign(address); });
  }
  function addressOf(form) {
    var given = new URLSearchParams();
    new FormData(form).forEach(function (value, name) { if (value) { given.append(name, value); } });
    var query = given.toString();
    return form.getAttribute("action") + (query ? "?" + query : "");
  }
  document.addEventListener("change", function (event) {
    var form = event.target.form;
    if (form && form.hasAttribute("data-in-place")) { show(addressOf(form), true); }
  });
  document.addEventListener("submit", function (event) {
    if (event.target.hasAttribute("data-in-place")) { event.preventDefault(); show(addressOf(event.target), true); }
  });
  document.addEventListener("click", function (event) {
    var link = event.target.closest("a[data-in-place]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); show(link.getAttribute("href"), true); }
  });
  addEventListener("popstate", function () { show(location.pathname + location.search, false); });
}());
