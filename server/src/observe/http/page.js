"use strict";
// Fetches the part that changes and puts it in place: no reload, so nothing flickers and the page keeps its place.
const content = document.getElementById("content");
const live = document.getElementById("live");
const periodMs = 2000;

function put(html) {
  // What somebody selects or scrolls to must not move under their hand.
  const selection = document.getSelection();
  if (selection && !selection.isCollapsed && content.contains(selection.anchorNode)) return;
  const scrolled = [...content.querySelectorAll(".scroll")].map((element) => element.scrollLeft);
  content.innerHTML = html;
  content.querySelectorAll(".scroll").forEach((element, place) => {
    element.scrollLeft = scrolled[place] || 0;
  });
}

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/status", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      put(await answer.text());
      live.textContent = "live";
      live.className = "ready";
      content.classList.remove("stale");
    } catch {
      live.textContent = "no answer from the server";
      live.className = "failed";
      content.classList.add("stale");
    }
  }
  setTimeout(refresh, periodMs);
}

setTimeout(refresh, periodMs);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) live.textContent = "…";
});
