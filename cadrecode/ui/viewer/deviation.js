// The part coloured by how far the scan lies from it: blue where points are inside, red where they are outside, white
// where they agree, grey where there are no points. The colours end at the tolerance. Blue, white and red of Moreland 2009.
import * as T from './three.js';

const INSIDE = [59, 76, 192], ON = [240, 240, 240], OUTSIDE = [180, 4, 38], UNSEEN = [150, 158, 168];
const FINE = 1 / 45;  // of the part's size: longer edges are halved, so that colours can change along them
const MOST = 60000;  // triangles
const REACH = 1 / 40;  // of the part's size: the points so near to a place, in the mean, give it its colour
const BARS = 25;

export class Deviation {
  constructor(viewer) {
    this.viewer = viewer;
    this.legend = viewer.box.querySelector('.cr-legend');
  }

  isThere() { return Boolean(this.viewer.part && this.viewer.signed); }

  reset() {
    if (this.mesh) {
      this.viewer.scene.remove(this.mesh);
      this.mesh.geometry.dispose();
      this.mesh.material.dispose();
    }
    this.mesh = null;
  }

  show(on) {
    if (on && !this.mesh) this.make();
    if (this.mesh) this.mesh.visible = on;
    this.legend.hidden = !on;
    if (on) this.explain();
  }

  make() {
    const {viewer} = this, size = 2 * viewer.radius;
    const corners = finer(viewer.part.geometry.attributes.position.array, FINE * size);
    const geometry = new T.BufferGeometry(), near = nearby(viewer.points, viewer.signed, REACH * size);
    const colours = new Float32Array(corners.length), known = new Map(), colour = new T.Color();
    for (let i = 0; i < corners.length; i += 3) {
      const key = `${corners[i]},${corners[i + 1]},${corners[i + 2]}`;
      if (!known.has(key)) {
        const mean = near(corners[i], corners[i + 1], corners[i + 2]);
        const [r, g, b] = mean === null ? UNSEEN : this.colour(mean);
        known.set(key, colour.setRGB(r / 255, g / 255, b / 255, T.SRGBColorSpace).toArray());
      }
      colours.set(known.get(key), i);
    }
    geometry.setAttribute('position', new T.BufferAttribute(corners, 3));
    geometry.setAttribute('color', new T.BufferAttribute(colours, 3));
    this.mesh = viewer.add(new T.Mesh(geometry, new T.MeshBasicMaterial({
      vertexColors: true, side: T.DoubleSide, polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1})), 2);
  }

  colour(value) {
    const share = Math.max(-1, Math.min(1, value / this.viewer.data.tolerance)), end = share < 0 ? INSIDE : OUTSIDE;
    return ON.map((on, i) => on + Math.abs(share) * (end[i] - on));
  }

  /** The legend: a histogram above the scale of colours; its outermost bars hold what lies beyond the tolerance. */
  explain() {
    const {signed, data: {tolerance}} = this.viewer, counts = new Array(BARS + 2).fill(0);
    for (const value of signed) counts[Math.max(0, Math.min(BARS + 1, Math.floor((value / tolerance + 1) / 2 * BARS) + 1))]++;
    const highest = Math.max(...counts), width = 100 / counts.length;
    for (const end of this.legend.querySelectorAll('[data-text]')) end.textContent = end.dataset.text.replace('{x}', this.viewer.length(tolerance));
    this.legend.querySelector('svg').innerHTML = counts.map((count, i) => {
      const [r, g, b] = this.colour(((i - 0.5) / BARS * 2 - 1) * tolerance), height = 30 * count / highest;
      return `<rect class="cr-bars" x="${i * width}" width="${width * 0.92}" y="${30 - height}" height="${height}"/>` +
        `<rect x="${i * width}" width="${width * 1.02}" y="32" height="8" fill="rgb(${r},${g},${b})"/>`;
    }).join('');
  }
}

/** Triangles halved along their longest edge until no edge is longer than `most`. */
function finer(corners, most) {
  const stack = [], out = [];
  for (let i = 0; i < corners.length; i += 9) stack.push(Array.from(corners.subarray(i, i + 9)));
  while (stack.length) {
    const t = stack.pop();
    const lengths = [0, 1, 2].map((k) => Math.hypot(...[0, 1, 2].map((j) => t[3 * k + j] - t[3 * ((k + 1) % 3) + j])));
    const k = lengths.indexOf(Math.max(...lengths));
    if (lengths[k] <= most || stack.length + out.length > MOST) { out.push(t); continue; }
    const at = (i) => t.slice(3 * (i % 3), 3 * (i % 3) + 3), [a, b, c] = [at(k), at(k + 1), at(k + 2)];
    const middle = a.map((x, i) => (x + b[i]) / 2);
    stack.push([...a, ...middle, ...c], [...middle, ...b, ...c]);
  }
  return Float32Array.from(out.flat());
}

/** A function from a place to the mean of the values of the points within `reach`; null where there are none. */
function nearby(points, values, reach) {
  const cells = new Map(), cell = (x) => Math.floor(x / reach), key = (i, j, k) => (i * 73856093) ^ (j * 19349663) ^ (k * 83492791);
  for (let i = 0; i < values.length; i++) {
    const at = key(cell(points[3 * i]), cell(points[3 * i + 1]), cell(points[3 * i + 2]));
    if (!cells.has(at)) cells.set(at, []);
    cells.get(at).push(i);
  }
  return (x, y, z) => {
    let sum = 0, count = 0;
    for (let i = -1; i <= 1; i++) for (let j = -1; j <= 1; j++) for (let k = -1; k <= 1; k++) {
      for (const p of cells.get(key(cell(x) + i, cell(y) + j, cell(z) + k)) ?? []) {
        const off = (points[3 * p] - x) ** 2 + (points[3 * p + 1] - y) ** 2 + (points[3 * p + 2] - z) ** 2;
        if (off < reach * reach) { sum += values[p]; count++; }
      }
    }
    return count ? sum / count : null;
  };
}
