// Completion in the program: the language's methods after a dot.
const words = WORDS, most = 8;
const box = document.body.appendChild(document.createElement('ul'));
box.className = 'cr-words';
box.setAttribute('role', 'listbox');
box.hidden = true;
let prefix = '', at = 0;

const close = () => { box.hidden = true; };

const mark = (index) => {
  at = (index + box.children.length) % box.children.length;
  [...box.children].forEach((item, number) => item.setAttribute('aria-selected', number === at));
};

/** The letters between a dot and the caret; null where no method is being written. */
const written = () => {
  const selection = getSelection();
  const line = selection.isCollapsed && selection.anchorNode?.parentElement?.closest('#program .cm-line');
  if (!line) return null;
  const before = document.createRange();
  before.setStart(line, 0);
  before.setEnd(selection.anchorNode, selection.anchorOffset);
  return /\d\.\d*$/.test(before.toString()) ? null : before.toString().match(/\.(\w*)$/)?.[1] ?? null;
};

const accept = () => {
  if (written() !== prefix) offer();  // letters that came since the list was made, on a slow machine
  if (box.hidden) return;
  const word = box.children[at].textContent;
  close();
  document.execCommand('insertText', false, word.slice(prefix.length));
};

const offer = () => {
  prefix = written();
  const fitting = prefix === null ? [] : words.filter(word => word.startsWith(prefix) && word !== prefix).slice(0, most);
  if (!fitting.length) return close();
  box.replaceChildren(...fitting.map(word => {
    const item = document.createElement('li');
    item.setAttribute('role', 'option');
    item.textContent = word;
    return item;
  }));
  mark(0);
  const place = getSelection().getRangeAt(0).getBoundingClientRect();
  box.hidden = false;
  const right = document.documentElement.clientWidth - box.offsetWidth - 8;  // the list stays on a narrow screen
  box.style.left = `${Math.min(place.left, right) + scrollX}px`;
  box.style.top = `${place.bottom + scrollY + 2}px`;
};

document.addEventListener('input', ({target}) => { if (target.closest?.('#program')) setTimeout(offer); });
box.addEventListener('mousedown', (event) => {  // before the editor loses its focus
  const item = event.target.closest('li');
  event.preventDefault();
  if (!item) return;
  mark([...box.children].indexOf(item));
  accept();
});
document.addEventListener('focusout', close);
document.addEventListener('keydown', (event) => {
  if (box.hidden || event.ctrlKey || event.metaKey) return;
  const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
  if (step) mark(at + step);
  else if (event.key === 'Enter' || event.key === 'Tab') accept();
  else if (event.key === 'Escape') close();
  else return event.key.length > 1 && event.key !== 'Backspace' && close();
  event.preventDefault();
  event.stopPropagation();
}, true);
