document.querySelector('.filter').addEventListener('click', ({target}) => {
  const only = target.dataset.only;
  if (only === undefined) return;
  document.querySelectorAll('[data-only]').forEach((button) => button.setAttribute('aria-pressed', button === target));
  document.querySelectorAll('[data-grade]').forEach((card) => { card.hidden = only !== '' && card.dataset.grade !== only; });
});
