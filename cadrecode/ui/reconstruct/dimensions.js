// Numbers go to Python as {name: [value, is an angle]}, all of them that differ from the program's own, at every move.
const rows = () => [...element.querySelectorAll('.cr-dim')];
const fields = (row) => row.querySelectorAll('input');
const set = (row, value) => { for (const field of fields(row)) field.value = value; };
const isLocked = (row) => row.querySelector('[data-do=lock]').getAttribute('aria-pressed') === 'true';
const send = () => {
  const numbers = {};
  for (const row of rows()) {
    const value = fields(row)[0].valueAsNumber;
    if (Number.isFinite(value)) numbers[row.dataset.name] = [value, 'angle' in row.dataset];
  }
  trigger('input', {numbers});
};
// a number as a person would write it: three digits less than it has, to whole, half or fifth steps
const simple = (value) => {
  const step = 10 ** Math.floor(Math.log10(Math.abs(value) || 1) - 1);
  return Number((Math.round(value / step) * step).toPrecision(6));
};

element.addEventListener('input', ({target}) => {
  const row = target.closest('.cr-dim');
  if (!row || target.type !== 'range') return;
  set(row, target.value);
  send();
});
element.addEventListener('change', ({target}) => {
  const row = target.closest('.cr-dim');
  if (!row || target.type !== 'number' || !Number.isFinite(target.valueAsNumber)) return;
  const slider = fields(row)[1];
  slider.min = Math.min(slider.min, target.value);
  slider.max = Math.max(slider.max, target.value);
  slider.value = target.value;
  send();
});
element.addEventListener('click', ({target}) => {
  if (target.closest('.cr-reset')) {
    for (const row of rows()) if (!isLocked(row)) set(row, row.dataset.value);
    send();
  }
  const more = target.closest('.cr-more');
  if (more) more.setAttribute('aria-expanded', element.querySelector('.cr-dims').classList.toggle('cr-all'));
  const button = target.closest('[data-do]'), row = button?.closest('.cr-dim');
  if (button?.dataset.do === 'lock') {
    button.setAttribute('aria-pressed', !isLocked(row));
    for (const field of [...fields(row), row.querySelector('[data-do=snap]')]) field.disabled = isLocked(row);
  }
  if (button?.dataset.do === 'snap') {  // a snapped number goes back to what was measured, and to and fro
    const {measured, value} = row.dataset, now = fields(row)[0].value;
    set(row, measured && Number(now) === Number(value) ? measured : measured ? value : simple(Number(now)));
    send();
  }
});
const light = (name) => document.dispatchEvent(new CustomEvent('cadrecode:number', {detail: {name}}));
for (const kind of ['pointerover', 'focusin']) {
  element.addEventListener(kind, ({target}) => { const row = target.closest('.cr-dim'); if (row) light(row.dataset.name); });
}
for (const kind of ['pointerleave', 'focusout']) element.addEventListener(kind, () => light(null));
// A number that is folded away takes the place of the sixth while its face is under the pointer, and until the next one.
document.addEventListener('cadrecode:face', ({detail}) => {
  for (const row of rows()) row.classList.toggle('cr-lit', detail.names.includes(row.dataset.name));
  const lit = rows().filter((row) => row.matches('.cr-lit'));
  if (!lit.length) return;
  const folded = lit.some((row) => !row.matches('.cr-rest')) ? null : lit[0];
  for (const row of rows()) row.classList.toggle('cr-shown', row === folded);
  element.querySelector('.cr-dims')?.classList.toggle('cr-peek', Boolean(folded));
});
document.addEventListener('cadrecode:pick', () => {
  const row = [...element.querySelectorAll('.cr-lit')].find((row) => row.offsetHeight);
  row?.querySelector('input').select();
});
// a new part: the fields have its numbers, whatever was typed into them before
watch('value', () => { for (const row of rows()) {
  set(row, row.dataset.value);
  row.querySelector('[data-do=lock]').setAttribute('aria-pressed', false);
  for (const field of row.querySelectorAll('input, button')) field.disabled = false;
} });
