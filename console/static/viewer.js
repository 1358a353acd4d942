// The viewer: the sliders hold what is shown; dragging, wheel, keys and buttons move the sliders.
"use strict";

const LENGTHS = [1, 2, 5, 10, 20, 50, 100, 200, 500]; // mm

function viewer(root) {
  const find = (selector) => root.querySelector(selector);
  const stage = find("#stage"), picture = find("#picture"), caption = find("#frame-caption"), scale = find(".scale");
  const sliders = Object.fromEntries([...root.querySelectorAll("input[type=range]")].map((s) => [s.id, s]));
  const last = Number(root.dataset.last), geometry = JSON.parse(root.dataset.geometry);
  const { frame, center, width } = sliders;
  const first = center && { center: center.value, width: width.value };
  const view = { zoom: 1, x: 0, y: 0 };
  let touched = false, wanted = picture.src, busy = false, playing = null;

  function address(number) {
    const window = touched && center ? `?center=${center.value}&width=${width.value}` : "";
    return `${root.dataset.base}/${number}.png${window}`;
  }
  // One picture is on its way at a time; what was passed over meanwhile is never asked for.
  async function fetchWanted() {
    if (busy) return;
    busy = true;
    for (let asked = null; asked !== wanted;) {
      asked = picture.src = wanted;
      await picture.decode().catch(() => {});
    }
    busy = false;
    draw();
  }
  function show() {
    const number = Number(frame.value);
    wanted = new URL(address(number), location.href).href;
    picture.alt = caption.textContent = `Frame ${number} of ${last}`;
    for (const slider of Object.values(sliders)) find(`#${slider.id}-value`).value = slider.value;
    for (const link of document.querySelectorAll("[data-frame]")) {
      link.toggleAttribute("aria-current", Number(link.dataset.frame) === number);
    }
    fetchWanted();
    if (!playing) for (const near of [number - 1, number + 1]) if (near >= 1 && near <= last) new Image().src = address(near);
  }
  function step(by, around = false) {
    const next = Number(frame.value) + by;
    frame.value = around && next > last ? 1 : next;
    show();
  }
  function window_(newCenter, newWidth) {
    if (!center) return;
    for (const [slider, value] of [[center, newCenter], [width, newWidth]]) {
      if (value < Number(slider.min)) slider.min = Math.floor(value);
      if (value > Number(slider.max)) slider.max = Math.ceil(value);
      slider.value = Math.round(value);
    }
    touched = true;
    show();
  }
  // Letters and scale are above the picture and are not moved with it.
  function draw() {
    const [, now] = geometry.findLast(([from]) => from <= Number(frame.value)) ?? [0, {}];
    const sides = stage.querySelectorAll(".letter");
    sides.forEach((side, number) => { side.textContent = now.letters?.[number] ?? ""; });
    const fit = fitted(now.aspect ?? 1);
    picture.style.transform = `translate(${view.x}px, ${view.y}px) scale(${fit.stretch.map((each) => each * view.zoom)})`;
    const perMillimetre = now.spacing ? fit.column * view.zoom / now.spacing : 0;
    const length = LENGTHS.findLast((each) => each * perMillimetre <= stage.clientWidth / 3);
    scale.hidden = !perMillimetre || !Number.isFinite(perMillimetre) || !length;
    if (!scale.hidden) {
      scale.style.width = `${length * perMillimetre}px`;
      scale.textContent = `${length} mm`;
    }
  }
  // Where pixels are not square: the browser fits them as squares, and they are stretched to their shape.
  // `column`: how wide one is shown.
  function fitted(aspect) {
    const { naturalWidth: across, naturalHeight: down } = picture;
    picture.style.aspectRatio = aspect === 1 || !across ? "" : `${across} / ${down * aspect}`;
    const squares = Math.min(picture.clientWidth / across, picture.clientHeight / down);
    if (aspect === 1 || !across) return { column: squares, stretch: [1] };
    const column = Math.min(picture.clientWidth / across, picture.clientHeight / (down * aspect));
    return { column, stretch: [column / squares, column * aspect / squares] };
  }
  function zoom(by) {
    view.zoom = Math.min(16, Math.max(1, view.zoom * by));
    if (view.zoom === 1) view.x = view.y = 0;
    draw();
  }
  function invert() {
    find("#invert").setAttribute("aria-pressed", stage.classList.toggle("inverted"));
  }
  function play() {
    const button = find("#play");
    if (!button) return;
    playing = playing ? clearInterval(playing) : setInterval(() => busy || step(1, true), 1000 / Number(root.dataset.rate));
    button.setAttribute("aria-pressed", Boolean(playing));
  }
  function reset() {
    Object.assign(view, { zoom: 1, x: 0, y: 0 });
    if (stage.classList.contains("inverted")) invert();
    if (first) Object.assign(center, { value: first.center }), Object.assign(width, { value: first.width });
    if (find("#preset")) find("#preset").selectedIndex = 0;
    touched = false;
    show();
    draw();
  }

  for (const slider of Object.values(sliders)) {
    slider.addEventListener("input", () => {
      touched ||= slider !== frame;
      show();
    });
  }
  const buttons = { "#play": play, "#invert": invert, "#reset": reset, "#zoom-in": () => zoom(1.25), "#zoom-out": () => zoom(0.8) };
  for (const [name, act] of Object.entries(buttons)) find(name)?.addEventListener("click", act);
  find("#preset")?.addEventListener("change", (event) => window_(...event.target.value.split(",").map(Number)));
  const drag = find("#drag");
  const moving = () => stage.classList.toggle("moving", drag.value === "move");
  drag.addEventListener("change", moving);
  moving();

  stage.addEventListener("pointerdown", (event) => {
    if (event.button > 1) return;
    stage.setPointerCapture(event.pointerId);
    const from = { x: event.clientX, y: event.clientY, center: Number(center?.value), width: Number(width?.value), at: { ...view } };
    const moves = drag.value === "move" || event.button === 1 || event.shiftKey || !center;
    const pace = Math.max(1, Number(first?.width) / 256);
    const move = ({ clientX, clientY }) => {
      const x = clientX - from.x, y = clientY - from.y;
      if (!moves) return window_(from.center + y * pace, Math.max(1, from.width + x * pace));
      Object.assign(view, { x: from.at.x + x, y: from.at.y + y });
      draw();
    };
    stage.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"]) {
      stage.addEventListener(end, () => stage.removeEventListener("pointermove", move), { once: true });
    }
  });
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1);
    else step(Math.sign(event.deltaY));
  }, { passive: false });
  const keys = {
    ArrowLeft: () => step(-1), ArrowUp: () => step(-1), ArrowRight: () => step(1), ArrowDown: () => step(1),
    PageUp: () => step(-10), PageDown: () => step(10), Home: () => step(-last), End: () => step(last),
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), i: invert, " ": play, 0: reset,
  };
  stage.addEventListener("keydown", (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? null : keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-frame]");
    if (!link) return;
    event.preventDefault();
    frame.value = link.dataset.frame;
    show();
    root.scrollIntoView({ block: "nearest" });
    frame.focus({ preventScroll: true });
  });
  picture.addEventListener("load", draw);
  new ResizeObserver(draw).observe(stage);
}

// The tags of an instance: rows that do not hold the term are hidden as one types.
function tagSearch(field) {
  const rows = [...document.querySelectorAll(".tags tbody tr")];
  field.addEventListener("input", () => {
    const term = field.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(term);
    document.getElementById("tag-count").textContent = `${rows.filter((row) => !row.hidden).length} tags`;
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.body.classList.add("scripted");
  const root = document.getElementById("viewer"), field = document.getElementById("tag-term");
  if (root) viewer(root);
  if (field) tagSearch(field);
});
