// The 3D view of the Reconstruct tab: a part with its edges, its scan, the deviation between them, and tools to look
// closer. It draws only when something changes. Z is up, lengths are those of the file, moved to the middle of the box.
import * as T from './three.js';
import {Deviation} from './deviation.js';
import {Measure} from './measure.js';
import {Section} from './section.js';

const DIRECTIONS = {front: [0, -1, 0], right: [1, 0, 0], top: [0, -1e-4, 1], iso: [0.51, -0.72, 0.47]};
const KEYS = {1: 'front', 2: 'right', 3: 'top', 4: 'iso'};
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};
const STEP = Math.PI / 12;  // an arrow key turns by 15 degrees
const PART = 0xc7d4cf, EDGE = 0x29333f, CLOUD = 0xc2570c, LIT = 0x1f5fbf;
const FILL = 0.84;  // of the view, by the part
const SMOOTH = Math.cos(25 * Math.PI / 180);  // faces that meet at a smaller angle are shaded as one
const POINT_PIXELS = 2.5;

/** Typed array from the text of its bytes. */
const unpack = (text, Kind) => new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

export class Viewer {
  constructor(box) {
    this.box = box;
    box.viewer = this;
    this.stage = box.querySelector('.cr-stage');
    this.tip = box.querySelector('.cr-tip');
    this.lines = box.querySelector('.cr-lines');
    this.spots = box.querySelector('.cr-spots');
    this.renderer = new T.WebGLRenderer({canvas: box.querySelector('canvas'), antialias: true, alpha: true, stencil: true});
    this.renderer.localClippingEnabled = true;
    this.scene = new T.Scene();
    this.camera = new T.OrthographicCamera();
    this.camera.up.set(0, 0, 1);
    this.light = new T.DirectionalLight(0xffffff, 2.1);
    this.scene.add(new T.HemisphereLight(0xffffff, 0x8a94a3, 1.5), this.light, this.light.target);
    this.controls = new T.OrbitControls(this.camera, this.renderer.domElement);
    this.controls.addEventListener('change', () => this.draw());
    this.radius = 1;
    this.deviation = new Deviation(this);
    this.section = new Section(this);
    this.measure = new Measure(this);
    this.face(DIRECTIONS.iso);
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.stage);
    this.resize();
  }

  // --- what is shown

  /** Show a scene as `views.scene` makes it. */
  show(data) {
    const old = this.data;
    this.data = data;
    this.measure.clear();
    for (const name of ['part', 'edges', 'cloud', 'lit']) this.remove(name);
    this.origin = data.center;
    this.size = new T.Vector3(...data.size);
    this.radius = this.size.length() / 2 || 1;
    if (data.vertices) this.makePart(data);
    if (data.points) this.makeCloud(data);
    this.deviation.reset();
    this.section.reset();
    this.setMode(this.mode());
    this.markSpots();
    const sameBox = old && ['center', 'size'].every((key) => old[key].every((x, i) => Math.abs(x - data[key][i]) < 1e-3 * this.radius));
    if (sameBox) this.draw(); else this.fit();
  }

  /** Nothing to show. */
  empty() {
    this.data = null;
    for (const name of ['part', 'edges', 'cloud', 'lit']) this.remove(name);
    this.deviation.reset();
    this.section.reset();
    this.measure.clear();
    this.marked = [];
    this.spots.replaceChildren();
    delete this.box.dataset.drawn;
    this.draw();
  }

  makePart(data) {
    this.vertices = unpack(data.vertices, Float32Array);
    this.triangles = unpack(data.faces, Uint32Array);
    this.groups = unpack(data.groups, Uint32Array);
    this.ends = unpack(data.edges, Uint32Array);
    const geometry = new T.BufferGeometry();
    const corners = new Float32Array(this.triangles.length * 3);
    this.triangles.forEach((v, i) => corners.set(this.vertices.subarray(3 * v, 3 * v + 3), 3 * i));
    geometry.setAttribute('position', new T.BufferAttribute(corners, 3));
    geometry.setAttribute('normal', new T.BufferAttribute(smoothNormals(corners, this.triangles), 3));
    this.part = this.add(new T.Mesh(geometry, new T.MeshLambertMaterial({
      color: PART, side: T.DoubleSide, polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1})), 2);
    const lines = new T.BufferGeometry();
    const ends = new Float32Array(this.ends.length * 3);
    this.ends.forEach((v, i) => ends.set(this.vertices.subarray(3 * v, 3 * v + 3), 3 * i));
    lines.setAttribute('position', new T.BufferAttribute(ends, 3));
    this.edges = this.add(new T.LineSegments(lines, new T.LineBasicMaterial({color: EDGE})), 3);
  }

  makeCloud(data) {
    this.points = unpack(data.points, Float32Array);
    this.signed = data.signed ? unpack(data.signed, Float32Array) : null;
    const geometry = new T.BufferGeometry();
    geometry.setAttribute('position', new T.BufferAttribute(this.points, 3));
    const size = POINT_PIXELS * this.renderer.getPixelRatio();
    this.cloud = this.add(new T.Points(geometry, new T.PointsMaterial({color: CLOUD, size, sizeAttenuation: false})), 4);
  }

  add(object, order = 0) {
    object.renderOrder = order;
    for (const material of [object.material].flat()) material.clippingPlanes = this.section.planes;
    this.scene.add(object);
    return object;
  }

  remove(name) {
    if (!this[name]) return;
    this.scene.remove(this[name]);
    this[name].geometry.dispose();
    this[name].material.dispose();
    this[name] = null;
  }

  mode() { return this.box.querySelector('input[type=radio]:checked').value; }

  setMode(mode) {
    this.box.dataset.mode = mode;
    const colours = mode === 'deviation' && this.deviation.isThere();
    if (this.part) {
      this.part.visible = mode !== 'cloud' && !colours;
      this.edges.visible = mode !== 'cloud';
    }
    if (this.cloud) this.cloud.visible = mode === 'cloud' || mode === 'points' || !this.part;
    this.deviation.show(colours);
    this.draw();
  }

  /** Rings around places that the part does not explain. */
  markSpots() {
    this.marked = (this.faces?.spots ?? []).map((spot) => ({
      ...spot, at: new T.Vector3(...spot.place.map((x, i) => x - this.origin[i]))}));
    this.spots.replaceChildren(...this.marked.map((spot) => {
      const ring = document.createElement('span');
      ring.title = spot.text;
      return ring;
    }));
  }

  /** What is known of a part after it was drawn: `names` of its numbers; `moved`, for each face the indices of the numbers
   * that move it; and `spots` where it does not explain the scan. */
  know(known) {
    this.known = known;
    if (this.faces) { this.markSpots(); this.draw(); }
  }

  get faces() { return this.known?.part === this.data?.part ? this.known : null; }

  /** Turn to a marked place, and pulse its rings. */
  goTo(entry) {
    const rings = [...this.spots.children].filter((ring, i) => this.marked[i].entry === entry);
    const place = this.marked.find((spot) => spot.entry === entry)?.at.clone();
    if (!place) return;
    if (place.length() > 0.1 * this.radius) this.face(place.setZ(place.z + 0.4 * this.radius).toArray());
    this.fit();
    rings.forEach((ring) => { ring.className = ''; void ring.offsetWidth; ring.className = 'cr-pulse'; });
  }

  /** A length of the scene as text: three digits, and the unit; `digits` for more. */
  length(value, digits = 3) {
    const shown = value * this.data.factor, size = Math.abs(shown);
    const text = size >= 10 ** digits ? shown.toFixed(0) : size && size < 1e-4 ? '<0.0001' : String(Number(shown.toPrecision(digits)));
    return `${text} ${this.data.unit}`;
  }

  // --- the camera

  face(direction) {
    this.camera.position.copy(this.controls.target).addScaledVector(new T.Vector3(...direction).normalize(), 10 * this.radius);
    this.controls.update();
    this.draw();
  }

  fit() {
    const away = this.camera.position.clone().sub(this.controls.target).normalize();
    this.controls.target.set(0, 0, 0);
    this.camera.position.copy(away.multiplyScalar(10 * this.radius));
    this.camera.near = this.radius; this.camera.far = 20 * this.radius;
    this.controls.update();
    this.camera.updateMatrixWorld();
    const right = new T.Vector3(), up = new T.Vector3(), out = new T.Vector3();
    this.camera.matrixWorld.extractBasis(right, up, out);
    const reach = (axis) => ['x', 'y', 'z'].reduce((sum, k) => sum + Math.abs(axis[k]) * this.size[k], 0) || 1e-9;
    this.camera.zoom = FILL * Math.min(this.width / reach(right), this.height / reach(up));
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  look(name) {
    if (name !== 'fit') this.face(DIRECTIONS[name]);
    this.fit();
  }

  turn(across, up) {
    const offset = this.camera.position.clone().sub(this.controls.target), length = offset.length();
    const around = Math.atan2(offset.y, offset.x) + across * STEP;
    const tilt = Math.min(Math.max(Math.asin(offset.z / length) + up * STEP, -1.57), 1.57);
    this.face([Math.cos(tilt) * Math.cos(around), Math.cos(tilt) * Math.sin(around), Math.sin(tilt)]);
  }

  resize() {
    this.width = this.stage.clientWidth || 1;
    this.height = this.stage.clientHeight || 1;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.renderer.setSize(this.width, this.height, false);
    Object.assign(this.camera, {left: -this.width / 2, right: this.width / 2, top: this.height / 2, bottom: -this.height / 2});
    this.camera.updateProjectionMatrix();
    if (this.data) this.fit();
  }

  /** Where a place of the scene lies on the stage: [x, y] in pixels. */
  onStage(place) {
    const {x, y} = place.clone().project(this.camera);
    return [(x + 1) / 2 * this.width, (1 - y) / 2 * this.height];
  }

  draw() {
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = null;
    this.light.position.copy(this.camera.position).add(new T.Vector3(0, 0, 3 * this.radius));
    this.renderer.render(this.scene, this.camera);
    this.overlay();
    if (this.data) this.box.dataset.drawn = this.data.part;
  }

  overlay() {
    [...this.spots.children].forEach((ring, i) => {
      const {at, size} = this.marked[i];
      const [x, y] = this.onStage(at);
      ring.hidden = this.mode() === 'cloud' || !this.section.keeps(at);
      const width = Math.max(size * this.camera.zoom, 14) + 6;
      ring.style.cssText = `left:${x - width / 2}px;top:${y - width / 2}px;width:${width}px;height:${width}px`;
    });
    this.lines.innerHTML = this.measure.drawn() + this.section.drawn();
  }

  // --- hands

  listen() {
    const {box, stage, controls, renderer: {domElement: canvas}} = this;
    const active = (on) => {  // the wheel and a finger move the page until the view has been clicked
      controls.enableZoom = on;
      canvas.style.touchAction = on ? 'none' : 'pan-y';
    };
    active(false);
    stage.addEventListener('pointerdown', () => { box.focus({preventScroll: true}); active(true); });
    box.addEventListener('focusout', (event) => { if (!box.contains(event.relatedTarget)) active(false); });
    box.addEventListener('keydown', (event) => this.press(event));
    box.addEventListener('change', ({target}) => {
      if (target.type === 'radio') this.setMode(target.value);
      if (target.dataset.cut) this.section.change();
    });
    box.addEventListener('input', ({target}) => { if (target.dataset.cut) this.section.change(); });
    box.addEventListener('click', ({target}) => {
      const button = target.closest('button');
      if (button?.dataset.look) this.look(button.dataset.look);
      if (button?.dataset.tool) this[button.dataset.tool].toggle(button);
    });
    let start = null;
    stage.addEventListener('pointerdown', ({offsetX, offsetY}) => { start = [offsetX, offsetY]; });
    canvas.addEventListener('pointerup', (event) => {
      const moved = start && Math.hypot(event.offsetX - start[0], event.offsetY - start[1]);
      if (moved === null || moved >= 4) return;
      if (this.measure.on) this.measure.click(event.offsetX, event.offsetY);
      else document.dispatchEvent(new CustomEvent('cadrecode:pick'));
    });
    canvas.addEventListener('pointermove', (event) => {
      if (event.buttons === 0) this.hover ??= requestAnimationFrame(() => { this.hover = null; this.point(event.offsetX, event.offsetY); });
    });
    canvas.addEventListener('pointerleave', () => this.lightUp(null));
    document.addEventListener('cadrecode:number', ({detail}) => this.lightUp(detail.name === null ? null : this.movedBy(detail.name)));
  }

  press(event) {
    const key = event.key.toLowerCase();
    if (event.target.matches('input') || event.ctrlKey || event.metaKey || event.altKey) return;
    if (KEYS[key]) this.look(KEYS[key]);
    else if (key === 'f') this.fit();
    else if (ARROWS[event.key]) this.turn(...ARROWS[event.key]);
    else if (key === 'escape') this.measure.clear();
    else return;
    event.preventDefault();
  }

  /** The face under a place of the stage: {point, triangle, group}; null where there is none. */
  hit(x, y) {
    if (!this.part || this.mode() === 'cloud') return null;
    const ray = new T.Raycaster();
    ray.setFromCamera(new T.Vector2(2 * x / this.width - 1, 1 - 2 * y / this.height), this.camera);
    const visible = ray.intersectObject(this.part).filter((hit) => this.section.keeps(hit.point));
    return visible.length ? {point: visible[0].point, triangle: visible[0].faceIndex, group: this.groups[visible[0].faceIndex]} : null;
  }

  /** Name the feature under the pointer, and light it and its sliders. */
  point(x, y) {
    const hit = this.hit(x, y);
    const names = hit && this.faces ? this.faces.moved[hit.group].map((i) => this.faces.names[i]) : [];
    this.lightUp(hit && names.length ? new Set([hit.group]) : null);
    this.tip.hidden = !names.length;
    this.tip.textContent = names.map(([, label]) => label).join(' · ');
    this.tip.style.cssText = x < 0.6 * this.width ? `left:${x + 14}px;top:${y + 12}px` : `right:${this.width - x + 8}px;top:${y + 12}px`;
    document.dispatchEvent(new CustomEvent('cadrecode:face', {detail: {names: names.map(([name]) => name)}}));
  }

  movedBy(name) {
    const index = this.faces?.names.findIndex(([known]) => known === name) ?? -1;
    return new Set(this.faces?.moved.flatMap((indices, group) => indices.includes(index) ? [group] : []));
  }

  lightUp(groups) {
    this.remove('lit');
    if (groups === null) this.tip.hidden = true;
    if (groups?.size && this.part) {
      const corners = this.part.geometry.attributes.position.array;
      const picked = [];
      this.groups.forEach((group, i) => { if (groups.has(group)) picked.push(...corners.subarray(9 * i, 9 * i + 9)); });
      const geometry = new T.BufferGeometry();
      geometry.setAttribute('position', new T.BufferAttribute(new Float32Array(picked), 3));
      this.lit = this.add(new T.Mesh(geometry, new T.MeshBasicMaterial({
        color: LIT, transparent: true, opacity: 0.45, side: T.DoubleSide, depthWrite: false})), 5);
    }
    this.draw();
  }
}

/** A normal for each corner: the mean over the faces around it that meet at a small angle. */
function smoothNormals(corners, triangles) {
  const count = triangles.length / 3, flat = new Float32Array(3 * count), area = new Float32Array(3 * count), around = new Map();
  const a = new T.Vector3(), b = new T.Vector3(), c = new T.Vector3();
  for (let i = 0; i < count; i++) {
    a.fromArray(corners, 9 * i); b.fromArray(corners, 9 * i + 3).sub(a); c.fromArray(corners, 9 * i + 6).sub(a);
    b.cross(c).toArray(area, 3 * i);
    b.normalize().toArray(flat, 3 * i);
    for (let k = 0; k < 3; k++) {
      const vertex = triangles[3 * i + k];
      if (!around.has(vertex)) around.set(vertex, []);
      around.get(vertex).push(i);
    }
  }
  const normals = new Float32Array(9 * count);
  triangles.forEach((vertex, corner) => {
    const own = 3 * Math.floor(corner / 3);
    a.set(0, 0, 0);
    for (const other of around.get(vertex)) {
      const cosine = flat[own] * flat[3 * other] + flat[own + 1] * flat[3 * other + 1] + flat[own + 2] * flat[3 * other + 2];
      if (cosine > SMOOTH) a.add(b.fromArray(area, 3 * other));
    }
    a.normalize().toArray(normals, 3 * corner);
  });
  return normals;
}
