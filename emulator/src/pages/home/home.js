// Keeps the lists of codes, faults and requests up to date. Without it they are as they were when the page was loaded.
"use strict";

const lists = document.getElementById("live");
let shown = "";

document.documentElement.classList.add("live");

setInterval(async () => {
  // Not behind the reader's back, and not under the text that is being selected.
  if (document.hidden || getSelection().type === "Range") return;
  try {
    const answer = await fetch("/_emulator/live");
    if (!answer.ok) return;
    const html = await answer.text(); // escaped where it was made
    if (html !== shown) lists.innerHTML = shown = html;
  } catch {
    // The emulator has stopped; it may come back.
  }
}, 1000);
