// Puts what the server pushes into its place. The markup comes escaped from the same templates as the page.
"use strict";

const connection = document.getElementById("connection");
const pause = document.getElementById("pause");
const waiting = {};
let paused = false;

function say(text) {
  if (connection.textContent !== text) connection.textContent = text;
}

// What is focused or opened stays so, though the element is a new one.
function place(id, html) {
  const target = document.getElementById(id);
  const focused = target.contains(document.activeElement) ? document.activeElement.id : "";
  const opened = [...target.querySelectorAll("details[open]")].map((each) => each.id);
  const { scrollTop, scrollLeft } = target;
  target.innerHTML = html;
  for (const each of opened) document.getElementById(each)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  target.scrollTop = scrollTop;
  target.scrollLeft = scrollLeft;
}

function show() {
  for (const [id, html] of Object.entries(waiting)) {
    place(id, html);
    delete waiting[id];
  }
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  say(paused ? "Paused" : "Live");
  if (!paused) show();
});

const source = new EventSource("events");
source.addEventListener("open", () => say(paused ? "Paused" : "Live"));
source.addEventListener("error", () => say("Connection lost, trying again"));
source.addEventListener("board", (event) => {
  Object.assign(waiting, JSON.parse(event.data));
  if (!paused) show();
});
