// Mouse, touch and pen.

function handleAt(event) { // index into HANDLES, or -1
  if (!box) return -1;
  const scale = scaleOf();
  const [px, py] = toImage(event);
  const reach = event.pointerType === 'touch' ? 24 : 11;
  // Round a small box the handles must leave room to grab its middle.
  const inside = px > box[0] && px < box[2] && py > box[1] && py < box[3];
  let best = -1;
  let nearest = Infinity;
  HANDLES.forEach(([u, v], index) => {
    const dx = (px - box[0] - (box[2] - box[0]) * u) * scale;
    const dy = (py - box[1] - (box[3] - box[1]) * v) * scale;
    const limit = inside
      ? Math.min(reach, ((box[2] - box[0]) * scale) / 4, ((box[3] - box[1]) * scale) / 4)
      : reach;
    const distance = Math.hypot(dx, dy);
    if (distance <= limit && distance < nearest) { best = index; nearest = distance; }
  });
  return best;
}

function regionAt([px, py]) { // the smallest region round a point
  const area = (of) => (of[2] - of[0]) * (of[3] - of[1]);
  return picture.regions
    .filter(({ box: of }) => px >= of[0] && px < of[2] && py >= of[1] && py < of[3])
    .sort((a, b) => area(a.box) - area(b.box))[0];
}

function gestureAt(event) {
  const handle = handleAt(event);
  if (handle >= 0) return { kind: 'resize', handle };
  const [px, py] = toImage(event);
  if (box && px >= box[0] && px < box[2] && py >= box[1] && py < box[3]) return { kind: 'move' };
  return { kind: 'draw' };
}

function resized(from, handle, [px, py]) {
  const [u, v] = HANDLES[handle];
  const next = [...from];
  const side = minSide();
  if (u === 0) next[0] = Math.min(px, next[2] - side);
  if (u === 1) next[2] = Math.max(px, next[0] + side);
  if (v === 0) next[1] = Math.min(py, next[3] - side);
  if (v === 1) next[3] = Math.max(py, next[1] + side);
  return [Math.max(next[0], 0), Math.max(next[1], 0), Math.min(next[2], picture.width), Math.min(next[3], picture.height)];
}

overlay.addEventListener('pointerdown', (event) => {
  if (!picture || drag || !event.isPrimary || event.button !== 0) return;
  event.preventDefault();
  overlay.setPointerCapture(event.pointerId);
  const start = toImage(event);
  const grab = gestureAt(event);
  // A handle may be grabbed beside its centre: keep that offset, so that the edge does not jump.
  const corner = grab.kind === 'resize'
    ? [box[0] + (box[2] - box[0]) * HANDLES[grab.handle][0], box[1] + (box[3] - box[1]) * HANDLES[grab.handle][1]]
    : start;
  drag = {
    ...grab, start, id: event.pointerId, before: box && [...box], beforeRegion: region, moved: false,
    from: [event.clientX, event.clientY], offset: [corner[0] - start[0], corner[1] - start[1]],
  };
});

overlay.addEventListener('pointermove', (event) => {
  if (!picture) return;
  if (!drag) {
    const grab = gestureAt(event);
    overlay.style.cursor = grab.kind === 'resize' ? `${CURSORS[grab.handle]}-resize`
      : grab.kind === 'move' ? 'move' : regionAt(toImage(event)) ? 'pointer' : 'crosshair';
    return;
  }
  if (event.pointerId !== drag.id) return;
  const far = Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]);
  if (!drag.moved && far < CLICK_SLOP_PX) return;
  drag.moved = true;
  const at = toImage(event);
  if (drag.kind === 'draw') setBox(ordered(drag.start, at));
  if (drag.kind === 'move') setBox(shifted(drag.before, at[0] - drag.start[0], at[1] - drag.start[1]));
  if (drag.kind === 'resize') {
    setBox(resized(drag.before, drag.handle, [at[0] + drag.offset[0], at[1] + drag.offset[1]]));
  }
});

overlay.addEventListener('pointerup', (event) => {
  if (!drag || event.pointerId !== drag.id) return;
  const { moved, start } = drag;
  drag = null;
  const group = () => overlay.querySelector('.bp-box');
  if (moved) {
    group().focus({ preventScroll: true });
    commit();
    return;
  }
  const hit = regionAt(start);
  if (hit) takeRegion(hit);
  else if (box) group().focus({ preventScroll: true });
  else say('Drag across an object to draw a box round it.');
});

function cancelDrag() {
  if (!drag) return;
  const { before, beforeRegion } = drag;
  drag = null;
  setBox(before, beforeRegion);
}
overlay.addEventListener('pointercancel', cancelDrag);
