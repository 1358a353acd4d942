// Pages work without this: it only keeps them up to date.
"use strict";

const PAUSE = 2000;

// Every element with data-live is replaced by its newer self; the first says where from.
async function refresh() {
  const shown = [...document.querySelectorAll("[data-live]")];
  if (!shown.length || document.hidden) return;
  const answer = await fetch(shown[0].dataset.live);
  if (!answer.ok) throw new Error(`The console answers ${answer.status} ${answer.statusText}`.trim());
  const newer = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const element of shown) replace(element, newer.getElementById(element.id));
}

function replace(element, next) {
  if (!next || next.outerHTML === element.outerHTML) return;
  // Rows with buttons do not move under a pointer that is about to press one.
  const held = element.matches(":hover") && element.querySelector("td button") !== null;
  element.classList.toggle("held", held);
  if (held) return;
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

// What is shown is the last that was known: a person must not take it for what is true now.
let known = new Date();
function away(error) {
  const reason = error instanceof TypeError ? "The console does not answer" : error?.message;
  const since = known.toISOString().slice(11, 19);
  const words = error ? `Not up to date since ${since} UTC. ${reason}.` : "";
  const said = document.getElementById("away");
  if (said && said.textContent !== words) said.textContent = words;
  document.body.classList.toggle("away", Boolean(error));
}

async function keepRefreshing() {
  try {
    await refresh();
    known = new Date();
    away(null);
  } catch (error) {
    away(error);
  }
  setTimeout(keepRefreshing, PAUSE);
}

document.addEventListener("DOMContentLoaded", () => setTimeout(keepRefreshing, PAUSE));
