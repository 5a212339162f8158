"use strict";
(() => {
  const all = (what) => [...document.querySelectorAll(what)];
  const told = document.getElementById("told");
  const frame = document.querySelector(".frame");
  const marks = all(".point");
  const rows = all("tr[data-i]");

  const show = (mark) => {
    const point = mark.getAttribute("data-i");
    [...marks, ...rows].forEach((e) => e.classList.toggle("on", e.getAttribute("data-i") === point));
    told.replaceChildren();
    mark.getAttribute("aria-label").split("; ").forEach((line, i) => {
      told.append(Object.assign(document.createElement(i ? "span" : "b"), { textContent: line }));
    });
    told.hidden = false;
    const at = mark.getBoundingClientRect();
    const outer = frame.getBoundingClientRect();
    const left = at.left - outer.left + at.width / 2;
    // Up and left of a mark there is little to hide: curves fall from upper right to lower left.
    const room = left > told.offsetWidth + 14;
    told.style.left = `${room ? left - told.offsetWidth - 14 : left + 14}px`;
    told.style.top = `${Math.max(0, at.top - outer.top - told.offsetHeight - 10)}px`;
  };
  const hide = () => {
    told.hidden = true;
    [...marks, ...rows].forEach((e) => e.classList.remove("on"));
  };
  marks.forEach((mark) => {
    mark.addEventListener("pointerenter", () => show(mark));
    mark.addEventListener("pointerleave", hide);
    mark.addEventListener("focus", () => show(mark));
    mark.addEventListener("blur", hide);
  });

  all("input[name=measure]").forEach((choice) => choice.addEventListener("change", () => {
    hide();
    all("[data-measure]").forEach((e) => {
      e.toggleAttribute("hidden", e.getAttribute("data-measure") !== choice.value);
    });
    all("[data-cost]").forEach((e) => {
      const name = e.tagName === "path" ? "d" : "transform";
      e.setAttribute(name, e.getAttribute(`data-${choice.value}`));
    });
  }));
  all("input[data-place]").forEach((box) => box.addEventListener("change", () => {
    const place = box.getAttribute("data-place");
    all(`[data-of="${place}"]`).forEach((e) => e.classList.toggle("off", !box.checked));
  }));
  document.querySelector(".controls").hidden = false;
})();
