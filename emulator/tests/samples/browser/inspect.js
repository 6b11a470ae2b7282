// What is wrong with a page for people who see little, see no colours, or see nothing: a list of sentences. The one
// argument says whether the whole page is looked at, or only the control that has the focus.
const [wholePage] = arguments;
const problems = [];
const visible = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
const name = (element) => `<${element.localName}> "${(element.innerText || element.id).trim().slice(0, 40)}"`;

// Contrast: a colour against all that is painted below it.
const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
function rgba(color) {
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = color;
  pixel.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
  return { rgb: [red, green, blue], alpha: alpha / 255 };
}
const paint = (below, { rgb, alpha }, opacity) => below.map((value, i) => rgb[i] * alpha * opacity + value * (1 - alpha * opacity));
const probe = document.body.appendChild(document.createElement("i"));
probe.style.background = "Canvas";
const paper = rgba(getComputedStyle(probe).backgroundColor).rgb;
probe.remove();
function colors(element, foreground) {
  const above = [];
  for (let next = element; next; next = next.parentElement) above.unshift(getComputedStyle(next));
  let opacity = 1;
  let below = paper;
  for (const style of above) {
    opacity *= style.opacity;
    below = paint(below, rgba(style.backgroundColor), opacity);
  }
  return [below, paint(below, rgba(foreground), opacity)];
}
function luminance(rgb) {
  const [red, green, blue] = rgb.map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function contrast([one, other]) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}
function check(element, foreground, least) {
  const ratio = contrast(colors(element, foreground));
  if (ratio < least) problems.push(`${name(element)} has a contrast of ${ratio.toFixed(2)}`);
}

if (wholePage) {
  // Structure (WCAG 1.3.1, 2.4.2, 2.4.6, 3.1.1, 4.1.2).
  if (!document.documentElement.lang) problems.push("no language");
  if (!document.title.trim()) problems.push("no title");
  if (!document.querySelector("meta[name=viewport]")) problems.push("no viewport");
  if (document.querySelectorAll("main").length !== 1) problems.push("not one <main>");
  const headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")];
  if (document.querySelectorAll("h1").length !== 1) problems.push("not one <h1>");
  headings.reduce((above, heading) => {
    const level = Number(heading.localName[1]);
    if (level > above + 1) problems.push(`${name(heading)} skips a level`);
    return level;
  }, 0);
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!field.labels.length || !visible(field.labels[0])) problems.push(`${name(field)} has no label`);
  }
  for (const element of document.querySelectorAll("a, button, summary, th, dt")) {
    if (!element.innerText.trim() && visible(element)) problems.push(`<${element.localName}> without text`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size < ids.length) problems.push("an id comes twice");
  if (document.querySelector("script:not([src='/_emulator/home.js']), [onclick], [onload], [style]")) problems.push("a script or a style attribute");

  // Width (WCAG 1.4.10), and targets of a size that a finger hits (2.5.8).
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) problems.push(`wider than ${width} px`);
  const scrolls = (element) => element && (getComputedStyle(element).overflowX === "auto" || scrolls(element.parentElement));
  for (const element of document.querySelectorAll("body *")) {
    const box = element.getBoundingClientRect();
    if (box.right > width + 1 && visible(element) && !scrolls(element)) problems.push(`${name(element)} ends at ${box.right}`);
  }
  for (const element of document.querySelectorAll("button, input:not([type=hidden]), summary, .actions a, a.action")) {
    if (visible(element) && element.getBoundingClientRect().height < 24) problems.push(`${name(element)} is too small`);
  }

  // Each piece of text (1.4.3), and the frames of fields (1.4.11).
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (texts.currentNode.data.trim() && visible(element)) check(element, getComputedStyle(element).color, 4.5);
  }
  for (const field of document.querySelectorAll("input:not([type=hidden])")) {
    check(field, getComputedStyle(field).color, 4.5);
    check(field.parentElement, getComputedStyle(field).borderTopColor, 3);
  }
}

// The focus, if something has it (2.4.7, 2.4.11, 1.4.11).
const focused = document.activeElement;
if (focused !== document.body) {
  const style = getComputedStyle(focused);
  if (style.outlineStyle !== "solid" || parseFloat(style.outlineWidth) < 2) problems.push(`${name(focused)} shows no focus`);
  else check(focused.parentElement, style.outlineColor, 3);
  const box = focused.getBoundingClientRect();
  if (box.top < 0 && box.bottom > innerHeight) problems.push(`${name(focused)} is out of sight`);
}
const controls = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), summary, [tabindex='0']")].filter(visible);
return { problems, controls: controls.length, at: controls.indexOf(focused), dark: luminance(colors(document.body, "white")[0]) < 0.2 };
