// The browser's Back button goes to the view that was shown before, where it was scrolled to.
// Runs once per page.

const tabs = () => [...document.querySelectorAll('#views [role=tab]')];
const selected = () => tabs().findIndex((tab) => tab.getAttribute('aria-selected') === 'true');
const scrolled = {}; // view -> how far it was scrolled when last shown
let shown = 0;
let goingBack = false;

addEventListener('scroll', () => { if (selected() === shown) scrolled[shown] = scrollY; }, { passive: true });

new MutationObserver(() => {
  const now = selected();
  if (now < 0 || now === shown) return;
  shown = now;
  if (!goingBack) history.pushState({ ...history.state, view: now }, '');
  goingBack = false;
}).observe(document.body, { subtree: true, attributes: true, attributeFilter: ['aria-selected'] });

addEventListener('popstate', (event) => {
  const view = (event.state && event.state.view) || 0;
  if (view === selected()) return;
  const to = scrolled[view] || 0;
  goingBack = true;
  tabs()[view].click();
  requestAnimationFrame(() => requestAnimationFrame(() => scrollTo(0, to)));
});
