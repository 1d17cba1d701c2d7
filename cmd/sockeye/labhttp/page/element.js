// Elements of HTML and SVG, made and kept in step with data.

const SVG = "http://www.w3.org/2000/svg";

function fill(e, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else if (value === true) e.setAttribute(name, "");
    else if (value !== false && value != null) e.setAttribute(name, value);
  }
  e.append(...children.flat().filter((c) => c != null && c !== false));
  return e;
}

// html makes an element of HTML: html("button", {class: "quiet", onclick: f}, "Cut").
export function html(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

// svg makes an element of SVG.
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

// put changes the text of an element, if it is another one: so that what is selected in it stays.
export function put(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// keep makes the children of an element those of a list, one for each key. Those that are there stay as they are,
// with the focus and the selection that they have, and are given to change with their item.
export function keep(parent, list, key, make, change) {
  const old = new Map([...parent.children].map((e) => [e.dataset.key, e]));
  let at = parent.firstElementChild;
  for (const item of list) {
    const k = String(key(item));
    let e = old.get(k);
    if (e) {
      old.delete(k);
    } else {
      e = make(item);
      e.dataset.key = k;
    }
    change(e, item);
    if (e === at) at = at.nextElementSibling;
    else parent.insertBefore(e, at);
  }
  for (const e of old.values()) e.remove();
}
