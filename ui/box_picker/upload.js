// Photos from the file dialog, a drop or a paste.

async function send(file) {
  if (!file) return;
  const limit = props.value.max_upload_bytes;
  if (file.size > limit) {
    say(`This file is larger than ${Math.floor(limit / 1e6)} MB: choose a smaller one.`);
    return;
  }
  if (file.size === 0) {
    say('This file is empty: choose another one.');
    return;
  }
  root.dataset.busy = 'yes';
  say('Sending the photo …');
  try {
    const sent = await upload(file);
    trigger('photo', { path: sent.path, name: file.name || '' });
    say('Reading the photo …');
  } catch (problem) {
    const text = String((problem && problem.message) || problem);
    say(/larger|size|413/i.test(text)
      ? `This file is larger than ${Math.floor(limit / 1e6)} MB: choose a smaller one.`
      : 'The photo could not be sent: check the connection and try again.');
  } finally {
    root.dataset.busy = '';
  }
}

root.querySelectorAll('.bp-choose').forEach((button) => button.addEventListener('click', () => fileInput.click()));
fileInput.addEventListener('change', () => { send(fileInput.files[0]); fileInput.value = ''; });

root.addEventListener('dragover', (event) => { event.preventDefault(); root.dataset.over = 'yes'; });
root.addEventListener('dragleave', (event) => { if (!root.contains(event.relatedTarget)) root.dataset.over = ''; });
root.addEventListener('drop', (event) => {
  event.preventDefault();
  root.dataset.over = '';
  const file = event.dataTransfer.files[0];
  if (file) send(file);
  else say('Only files can be dropped here: save the picture first.');
});
document.addEventListener('paste', (event) => {
  if (!root.isConnected || root.offsetParent === null) return;
  const file = [...((event.clipboardData && event.clipboardData.files) || [])][0];
  if (file) { event.preventDefault(); send(file); }
});
