"use strict";
(() => {
  const rows = Array.from(document.querySelectorAll("#rows tr"));
  const form = document.getElementById("filter");
  if (!form) return;
  const search = document.getElementById("search");
  const onlyBad = document.getElementById("only-bad");
  const shown = document.getElementById("shown");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, place) => {
      const fits = words.every((word) => texts[place].includes(word)) && (!onlyBad.checked || row.className === "bad");
      row.hidden = !fits;
      count += fits ? 1 : 0;
    });
    shown.textContent = count === rows.length ? "" : count + " of " + rows.length;
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", filter);
})();
