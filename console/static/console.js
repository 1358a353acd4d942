// Pages work without this: it only keeps them up to date and makes the pictures quick to scroll.
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

function viewer(root) {
  const picture = root.querySelector("#picture");
  const caption = root.querySelector("#frame-caption");
  const sliders = Object.fromEntries([...root.querySelectorAll("input[type=range]")].map((s) => [s.id, s]));
  const last = Number(root.dataset.last);
  let touched = false;

  function address(number) {
    const window = touched && sliders.center ? `?center=${sliders.center.value}&width=${sliders.width.value}` : "";
    return `${root.dataset.base}/${number}.png${window}`;
  }
  function show() {
    const number = Number(sliders.frame.value);
    picture.src = address(number);
    picture.alt = caption.textContent = `Frame ${number} of ${last}`;
    for (const slider of Object.values(sliders)) root.querySelector(`#${slider.id}-value`).value = slider.value;
    for (const link of document.querySelectorAll("[data-frame]")) {
      link.toggleAttribute("aria-current", Number(link.dataset.frame) === number);
    }
    for (const near of [number - 1, number + 1]) if (near >= 1 && near <= last) new Image().src = address(near);
  }
  function scroll(by) {
    sliders.frame.value = Number(sliders.frame.value) + by;
    show();
  }
  for (const slider of Object.values(sliders)) {
    slider.addEventListener("input", () => {
      touched ||= slider !== sliders.frame;
      show();
    });
  }
  picture.addEventListener("wheel", (event) => {
    event.preventDefault();
    scroll(Math.sign(event.deltaY));
  }, { passive: false });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-frame]");
    if (!link) return;
    event.preventDefault();
    sliders.frame.value = link.dataset.frame;
    show();
    root.scrollIntoView({ block: "nearest" });
    sliders.frame.focus({ preventScroll: true });
  });
  document.body.classList.add("scripted");
}

document.addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("viewer");
  if (root) viewer(root);
  setTimeout(keepRefreshing, PAUSE);
});
