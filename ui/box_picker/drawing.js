// Draws the box, its handles and the dashed boxes.

function svg(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.appendChild(made);
  return made;
}

function rectangle(of, cls, parent) {
  return svg('rect', { class: cls, x: of[0], y: of[1], width: of[2] - of[0], height: of[3] - of[1] }, parent);
}

function shade() { // darkens what is not boxed; lies below everything else
  const made = overlay.querySelector('.bp-shade') || svg('path', { class: 'bp-shade' }, overlay);
  if (overlay.firstChild !== made) overlay.prepend(made);
  return made;
}

const round = (of) => of.map((value) => Math.round(value));

function describe() {
  if (!box) return 'Type a box in pixels';
  const [x0, y0, x1, y1] = round(box);
  return `Box ${x0}, ${y0} to ${x1}, ${y1} of ${picture.width} × ${picture.height} px`;
}

function drawRegions() {
  overlay.querySelectorAll('.bp-region').forEach((old) => old.remove());
  picture.regions.forEach((each) => {
    const name = each.label ? `${each.label}: search for this` : 'Search for this';
    const made = rectangle(each.box, 'bp-region', overlay);
    made.dataset.region = each.id;
    for (const [key, value] of [['tabindex', '0'], ['role', 'button'], ['aria-label', name]]) {
      made.setAttribute(key, value);
    }
    svg('title', {}, made).textContent = name;
    made.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault();
        event.stopPropagation();
        takeRegion(each);
      }
    });
  });
}

function drawBox() {
  const hadFocus = overlay.querySelector('.bp-box') === document.activeElement;
  let group = overlay.querySelector('.bp-box');
  if (!box) {
    if (group) group.remove();
    shade().setAttribute('d', '');
    if (hadFocus) overlay.focus({ preventScroll: true });
  } else {
    if (!group) {
      group = svg('g', { class: 'bp-box', tabindex: '0', role: 'group', 'aria-roledescription': 'movable box' }, overlay);
      rectangle(box, 'bp-outline bp-outline-halo', group);
      rectangle(box, 'bp-outline', group);
      HANDLES.forEach(() => svg('circle', { class: 'bp-handle' }, group));
    }
    group.setAttribute('aria-label', `${describe()}. Arrow keys move, Ctrl and arrows resize, Enter searches.`);
    const [x0, y0, x1, y1] = box;
    const { width, height } = picture;
    shade().setAttribute('d', `M0 0H${width}V${height}H0Z M${x0} ${y0}V${y1}H${x1}V${y0}Z`);
    group.querySelectorAll('.bp-outline').forEach((line) => {
      for (const [key, value] of [['x', x0], ['y', y0], ['width', x1 - x0], ['height', y1 - y0]]) {
        line.setAttribute(key, value);
      }
    });
    const shortSide = Math.min(x1 - x0, y1 - y0) * scaleOf();
    const radius = Math.min(6, Math.max(3.5, shortSide / 8)) / scaleOf(); // small boxes stay visible
    group.querySelectorAll('.bp-handle').forEach((handle, index) => {
      handle.setAttribute('cx', x0 + (x1 - x0) * HANDLES[index][0]);
      handle.setAttribute('cy', y0 + (y1 - y0) * HANDLES[index][1]);
      handle.setAttribute('r', radius);
    });
  }
  root.dataset.boxed = box ? 'yes' : '';
  root.dataset.box = box ? round(box).join(' ') : '';
  find('.bp-coordinates').textContent = describe();
  fields.forEach((field, edge) => {
    field.disabled = !picture;
    field.max = edge % 2 ? picture.height : picture.width;
    field.min = 0;
    if (field !== document.activeElement) field.value = box ? Math.round(box[edge]) : '';
  });
}
