// A press on a verdict leaves its parts alone in sight; a press on "all" brings the others back.
element.addEventListener('click', ({target}) => {
  const button = target.closest('[data-only]');
  if (!button) return;
  const only = button.dataset.only;
  element.querySelectorAll('[data-only]').forEach(other => other.setAttribute('aria-pressed', other === button));
  element.querySelectorAll('[data-grade]').forEach(card => card.hidden = only !== '' && card.dataset.grade !== only);
});
