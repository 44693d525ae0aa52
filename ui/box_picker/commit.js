// Changes the box and tells Python.

function commit(force = false) {
  clearTimeout(keyTimer);
  if (!box) return;
  const [x_min, y_min, x_max, y_max] = box;
  const data = { picture: picture.id, region, x_min, y_min, x_max, y_max };
  const key = JSON.stringify(data);
  if (key === committed && !force) return;
  committed = key;
  say('');
  serial += 1;
  root.dispatchEvent(new CustomEvent('insitu-search', { bubbles: true }));
  trigger('box', { ...data, serial });
}

function removeBox() {
  clearTimeout(keyTimer);
  box = null;
  region = '';
  committed = '';
  drawBox();
  trigger('clear', { picture: picture.id });
}

function setBox(next, from = '') {
  box = next;
  region = from;
  drawBox();
}

function takeRegion(each) {
  setBox([...each.box], each.id);
  overlay.querySelector('.bp-box').focus({ preventScroll: true });
  commit(true);
}
