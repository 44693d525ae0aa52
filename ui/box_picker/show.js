// Shows what Python says. Last, because it starts everything.

function show() {
  const next = props.value;
  if (!next) return;
  say(next.message || '');
  if (!next.id) { // no picture, or the last upload was refused: keep what is there
    if (!picture) root.dataset.state = 'empty';
    return;
  }
  if (picture && picture.id === next.id) return;
  picture = next;
  drag = null;
  clearTimeout(keyTimer);
  box = null;
  region = '';
  committed = '';
  serial = 0;
  photo.src = next.src;
  photo.alt = next.alt;
  // The attributes give the shape before the picture is decoded, so that nothing jumps.
  photo.width = next.width;
  photo.height = next.height;
  stage.style.setProperty('--bp-ratio', next.width / next.height);
  overlay.setAttribute('viewBox', `0 0 ${next.width} ${next.height}`);
  overlay.replaceChildren();
  root.dataset.state = 'photo';
  find('.bp-name').textContent = next.name;
  drawRegions();
  if (next.box) {
    const taken = next.regions.find(({ id }) => id === next.region);
    setBox([...next.box], taken ? taken.id : '');
  } else {
    drawBox();
  }
  if (root.getBoundingClientRect().top < 0) root.scrollIntoView({ block: 'start' });
}

new ResizeObserver(() => { if (picture && overlay.clientWidth > 0) drawBox(); }).observe(overlay);
watch('value', show);
show();
