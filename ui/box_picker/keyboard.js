// Keys on the photo, and typed numbers.

overlay.addEventListener('keydown', (event) => {
  if (!picture) return;
  if (event.key === 'Escape') { cancelDrag(); return; }
  if (!box) {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    const { width, height } = picture;
    setBox([width * 0.3, height * 0.3, width * 0.7, height * 0.7]);
    overlay.querySelector('.bp-box').focus({ preventScroll: true });
    commit();
    return;
  }
  if (event.target === overlay && event.key === 'Enter') {
    overlay.querySelector('.bp-box').focus({ preventScroll: true });
    return;
  }
  if (event.key === 'Enter') { event.preventDefault(); commit(true); return; }
  if (event.key === 'Delete' || event.key === 'Backspace') { event.preventDefault(); removeBox(); return; }
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!way) return;
  event.preventDefault(); // also keeps Alt+Left from leaving the page
  const step = Math.max(1, 1 / scaleOf()) * (event.shiftKey ? 10 : 1);
  const [dx, dy] = [way[0] * step, way[1] * step];
  if (event.ctrlKey || event.altKey || event.metaKey) {
    const side = minSide();
    setBox([
      box[0], box[1],
      clamp(box[2] + dx, Math.min(box[0] + side, picture.width), picture.width),
      clamp(box[3] + dy, Math.min(box[1] + side, picture.height), picture.height),
    ]);
  } else {
    setBox(shifted(box, dx, dy));
  }
  clearTimeout(keyTimer);
  keyTimer = setTimeout(commit, KEY_COMMIT_MS);
});

fields.forEach((field) => field.addEventListener('change', () => {
  if (!picture) return;
  const values = fields.map((each) => (each.value === '' ? NaN : Number(each.value)));
  if (values.some((value) => !Number.isFinite(value))) return; // not all four yet
  const [x0, y0, x1, y1] = values;
  setBox(ordered(
    [clamp(x0, 0, picture.width), clamp(y0, 0, picture.height)],
    [clamp(x1, 0, picture.width), clamp(y1, 0, picture.height)],
  ));
  commit();
}));
