// Pages work without this: it only keeps them up to date.
"use strict";

const PAUSE = 2000;

// Every element with data-live is replaced by its newer self; the first says where from.
async function refresh() {
  const shown = [...document.querySelectorAll("[data-live]")];
  if (!shown.length || document.hidden) return;
  const answer = await fetch(shown[0].dataset.live);
  if (!answer.ok) return;
  const newer = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const element of shown) replace(element, newer.getElementById(element.id));
}

function replace(element, next) {
  if (!next || next.outerHTML === element.outerHTML) return;
  // Who types or reads in it is not disturbed: what is open stays open, what has the focus keeps it.
  const focused = element.contains(document.activeElement) ? path(document.activeElement) : null;
  for (const open of element.querySelectorAll("details[open][id]")) {
    next.querySelector(`#${open.id}`)?.setAttribute("open", "");
  }
  if (next.outerHTML === element.outerHTML) return;
  element.replaceWith(next);
  if (focused) next.querySelector(focused)?.focus();
  tell(next.dataset.said);
  // Its pictures and verdicts are there now.
  if (next.dataset.over === "yes" && element.dataset.over === "no") location.reload();
}

// What finds the same link or button again in a newer page.
function path(element) {
  const name = element.tagName.toLowerCase();
  for (const attribute of ["id", "href", "aria-label"]) {
    if (element.hasAttribute(attribute)) return `${name}[${attribute}="${CSS.escape(element.getAttribute(attribute))}"]`;
  }
  return name;
}

// Screen readers are told of new counts, once.
function tell(words) {
  const said = document.getElementById("said");
  if (said && words && said.textContent !== words) said.textContent = words;
}

async function keepRefreshing() {
  try {
    await refresh();
    document.body.classList.remove("away");
  } catch (error) {
    document.body.classList.add("away"); // the run has ended; what is shown is the last that was known
  }
  setTimeout(keepRefreshing, PAUSE);
}

document.addEventListener("DOMContentLoaded", () => setTimeout(keepRefreshing, PAUSE));
