// The box picker: its state, and the frames of coordinates.
//
// The files of this folder are one script, joined in the order of `ui.box_picker.SCRIPTS`. It runs once per
// component, inside a function with: element, trigger, props, upload, watch.
//
// props.value comes from Python (see ui.box_picker.Picture). Events to Python, as plain data:
//   'photo'  {path, name}                              a file was uploaded
//   'box'    {picture, serial, region, x_min, y_min, x_max, y_max}   a box was released; region is ""
//           for an own box
//   'clear'  {picture}                                 the box was removed
// All boxes are in pixels of the full-size upright image, so that nothing depends on how large it is displayed.

const root = element.querySelector('.bp');
const find = (selector) => root.querySelector(selector);
const stage = find('.bp-stage');
const photo = find('.bp-photo');
const overlay = find('.bp-overlay');
const statusLine = find('.bp-status');
const fileInput = find('.bp-file');
const fields = [...root.querySelectorAll('.bp-fields input')];

const SVG = 'http://www.w3.org/2000/svg';
const MIN_SIDE_PX = 8; // the services refuse smaller boxes
const KEY_COMMIT_MS = 450; // after the last arrow key
const CLICK_SLOP_PX = 4; // display pixels a click may wander
const HANDLES = [[0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1], [0.5, 1], [0, 1], [0, 0.5]];
const CURSORS = ['nwse', 'ns', 'nesw', 'ew', 'nwse', 'ns', 'nesw', 'ew'];

let picture = null; // what props.value said last
let box = null; // [x_min, y_min, x_max, y_max] or null
let region = ''; // id of the region that `box` was taken from, until it is changed
let drag = null; // the pointer gesture in progress
let keyTimer = 0;
let serial = 0; // numbers the boxes of a picture
let committed = ''; // the last box sent, so that a click that changes nothing searches nothing

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const say = (text) => { statusLine.textContent = text; };

function scaleOf() { // display pixels per image pixel; both axes agree, because the photo keeps its shape
  const shown = overlay.getBoundingClientRect();
  return shown.width > 0 ? shown.width / picture.width : 1;
}

function toImage(event) { // pointer -> image pixels, clipped to the image
  const shown = overlay.getBoundingClientRect();
  return [
    clamp(((event.clientX - shown.left) / shown.width) * picture.width, 0, picture.width),
    clamp(((event.clientY - shown.top) / shown.height) * picture.height, 0, picture.height),
  ];
}

function minSide() { // in image pixels: big enough for the services and for a finger to grab again
  return Math.min(Math.max(MIN_SIDE_PX, 6 / scaleOf()), picture.width, picture.height);
}

function ordered(a, b) { // two corners -> a box of at least the smallest size, inside the image
  const low = [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
  const high = [Math.max(a[0], b[0]), Math.max(a[1], b[1])];
  [picture.width, picture.height].forEach((limit, axis) => {
    const side = Math.min(minSide(), limit);
    if (high[axis] - low[axis] < side) {
      low[axis] = clamp(low[axis], 0, limit - side);
      high[axis] = low[axis] + side;
    }
  });
  return [low[0], low[1], high[0], high[1]];
}

function shifted(from, dx, dy) { // moved, kept whole inside the image
  const x = clamp(dx, -from[0], picture.width - from[2]);
  const y = clamp(dy, -from[1], picture.height - from[3]);
  return [from[0] + x, from[1] + y, from[2] + x, from[3] + y];
}
