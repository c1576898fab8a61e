// Measuring by clicks: a hole or a shaft gives its diameter and centre, an edge its length, two places their distance.
// A click on a flat face near a corner takes the corner.
import * as T from './three.js';

const NEAR_PIXELS = 9;  // a corner or an edge so near to the click is meant
const ROUND = 0.02, ACROSS = 0.05;  // how far, by radius and by direction, a face may be from a cylinder
const LEAST_EDGE = 0.04;  // of the part's size: shorter edges are pieces of a round rim

export class Measure {
  constructor(viewer) {
    this.viewer = viewer;
    this.said = viewer.box.querySelector('.cr-measured');
    this.picked = [];
  }

  toggle(button) {
    this.on = !this.on;
    button.setAttribute('aria-pressed', this.on);
    this.viewer.stage.classList.toggle('cr-measuring', this.on);
    this.said.hidden = !this.on;
    this.clear();
  }

  clear() {
    this.picked = [];
    this.said.textContent = this.said.dataset.hint;
    this.viewer.draw();
  }

  click(x, y) {
    const hit = this.viewer.hit(x, y);
    if (!hit) return this.clear();
    if (this.picked.length === 2) this.picked = [];
    this.picked.push(this.cylinder(hit) ?? this.corner(x, y, hit) ?? this.edge(x, y, hit) ?? {at: hit.point.clone()});
    this.said.textContent = this.picked.map((item) => this.words(item)).concat(this.distance()).filter(Boolean).join(' · ');
    this.viewer.draw();
  }

  words({diameter, length, at}) {
    const {origin, radius, data: {factor}} = this.viewer, digits = Math.max(0, 4 - Math.floor(Math.log10(2 * radius * factor)));
    const place = `(${at.toArray().map((x, i) => Number(((x + origin[i]) * factor).toFixed(Math.min(digits, 9)))).join(', ')})`;
    if (diameter) return `⌀ ${this.viewer.length(diameter, 5)} ${place}`;
    return length ? this.viewer.length(length, 5) : place;
  }

  distance() {
    if (this.picked.length < 2) return [];
    const [a, b] = this.picked.map(({at}) => at), apart = b.clone().sub(a);
    const parts = ['x', 'y', 'z'].map((k) => `Δ${k} ${this.viewer.length(Math.abs(apart[k]), 5)}`);
    return [`↔ ${this.viewer.length(apart.length(), 5)}`, ...parts];
  }

  vertex(i) { return new T.Vector3().fromArray(this.viewer.vertices, 3 * i); }

  corner(x, y, hit) {
    let best = NEAR_PIXELS, place = null;
    for (const i of new Set(this.viewer.ends)) {
      const at = this.vertex(i), [u, v] = this.viewer.onStage(at), off = Math.hypot(u - x, v - y);
      if (off < best && at.distanceTo(hit.point) < 2 * NEAR_PIXELS / this.viewer.camera.zoom) [best, place] = [off, at];
    }
    return place && {at: place};
  }

  edge(x, y, hit) {
    const {ends} = this.viewer, closest = new T.Vector3(), line = new T.Line3();
    for (let i = 0; i < ends.length; i += 2) {
      line.set(this.vertex(ends[i]), this.vertex(ends[i + 1]));
      line.closestPointToPoint(hit.point, true, closest);
      const [u, v] = this.viewer.onStage(closest);
      const near = Math.hypot(u - x, v - y) < NEAR_PIXELS && closest.distanceTo(hit.point) < 2 * NEAR_PIXELS / this.viewer.camera.zoom;
      if (near && line.distance() > LEAST_EDGE * 2 * this.viewer.radius) {
        return {at: line.getCenter(new T.Vector3()), length: line.distance(), line: [line.start.clone(), line.end.clone()]};
      }
    }
    return null;
  }

  /** The axis and the diameter of a round face; null where the face is not round. */
  cylinder({group, point}) {
    const {groups, part, triangles} = this.viewer;
    const corners = part.geometry.attributes.position.array, normals = [], rims = new Set();
    groups.forEach((other, i) => {
      if (other !== group) return;
      const [a, b, c] = [0, 3, 6].map((k) => new T.Vector3().fromArray(corners, 9 * i + k));
      const normal = b.sub(a).cross(c.sub(a));
      if (normal.lengthSq() > 0) normals.push(normal.normalize());
      for (let k = 0; k < 3; k++) rims.add(triangles[3 * i + k]);
    });
    const axis = new T.Vector3();
    for (const normal of normals) {
      const cross = normals[0].clone().cross(normal);
      if (cross.lengthSq() > axis.lengthSq()) axis.copy(cross);
    }
    if (axis.length() < 0.2) return null;  // flat
    axis.normalize();
    if (normals.some((normal) => Math.abs(normal.dot(axis)) > ACROSS)) return null;
    const across = normals[0].clone().addScaledVector(axis, -normals[0].dot(axis)).normalize();
    const up = axis.clone().cross(across);
    const flat = [...rims].map((i) => this.vertex(i)).map((p) => [p.dot(across), p.dot(up), p.dot(axis)]);
    const circle = fitCircle(flat);
    if (!circle) return null;
    const [u, v, radius] = circle;
    if (flat.some(([x, y]) => Math.abs(Math.hypot(x - u, y - v) - radius) > ROUND * radius)) return null;
    const heights = flat.map(([, , z]) => z), low = Math.min(...heights), high = Math.max(...heights);
    const on = (height) => new T.Vector3().addScaledVector(across, u).addScaledVector(up, v).addScaledVector(axis, height);
    return {at: on((low + high) / 2), diameter: 2 * radius, line: [on(low), on(high)], rim: point.clone()};
  }

  /** The measured places and lengths, as pieces of SVG. */
  drawn() {
    const line = (a, b, kind) => {
      const [[x1, y1], [x2, y2]] = [this.viewer.onStage(a), this.viewer.onStage(b)];
      return `<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
    };
    let out = this.picked.length === 2 ? line(this.picked[0].at, this.picked[1].at, 'cr-apart') : '';
    for (const item of this.picked) {
      const [x, y] = this.viewer.onStage(item.at);
      if (item.line) out += line(...item.line, 'cr-axis');
      if (item.rim) out += line(item.at, item.rim, 'cr-axis');
      out += `<circle cx="${x}" cy="${y}" r="4"/>`;
    }
    return out;
  }
}

/** The circle through points of a plane by least squares: [x, y, radius]; null where they lie on a line. */
function fitCircle(points) {
  const n = points.length, mx = points.reduce((s, p) => s + p[0], 0) / n, my = points.reduce((s, p) => s + p[1], 0) / n;
  let uu = 0, vv = 0, uv = 0, uw = 0, vw = 0;
  for (const [x, y] of points) {
    const u = x - mx, v = y - my, w = u * u + v * v;
    uu += u * u; vv += v * v; uv += u * v; uw += u * w; vw += v * w;
  }
  const det = uu * vv - uv * uv;
  if (det < 1e-9 * (uu + vv) ** 2) return null;
  const a = (uw * vv - vw * uv) / det / 2, b = (vw * uu - uw * uv) / det / 2;
  return [a + mx, b + my, Math.sqrt(a * a + b * b + (uu + vv) / n)];
}
