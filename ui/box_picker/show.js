// Shows what Python says. Last, because it starts everything.

function comeIntoView(tries) { // waits while the picker's view is only about to be shown
  requestAnimationFrame(() => {
    const { top, height } = root.getBoundingClientRect();
    if (height > 0 && top < 0) root.scrollIntoView({ block: 'start' });
    if (height === 0 && tries > 0) comeIntoView(tries - 1);
  });
}

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
  comeIntoView(60);
}

new ResizeObserver(() => { if (picture && overlay.clientWidth > 0) drawBox(); }).observe(overlay);
watch('value', show);
show();
