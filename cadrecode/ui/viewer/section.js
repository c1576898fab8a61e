// A section plane across x, y or z. What lies before it is cut away, and the cut is closed with a cap: the stencil counts
// how many back faces minus front faces lie behind each pixel, which is not 0 within the solid.
import * as T from './three.js';

const CAP = 0xd98a4e;

export class Section {
  constructor(viewer) {
    this.viewer = viewer;
    this.plane = new T.Plane(new T.Vector3(-1, 0, 0), 0);
    this.planes = [];  // shared by all materials: empty, or the plane
    this.bar = viewer.box.querySelector('.cr-cut');
    this.knob = viewer.box.querySelector('.cr-knob');
    this.knob.addEventListener('pointerdown', (event) => this.drag(event));
  }

  get axis() { return 'xyz'.indexOf(this.bar.querySelector('select').value); }
  get range() { return this.bar.querySelector('input[type=range]'); }
  get flipped() { return this.bar.querySelector('input[type=checkbox]').checked; }

  toggle(button) {
    this.on = !this.on;
    button.setAttribute('aria-pressed', this.on);
    this.bar.hidden = this.knob.hidden = !this.on;
    this.planes.length = 0;
    if (this.on) this.planes.push(this.plane);
    this.reset();
  }

  /** For a new part: its stencils and its cap. */
  reset() {
    const {viewer} = this;
    if (this.parts) {
      viewer.scene.remove(this.parts);
      this.parts.children.forEach((child) => child.material.dispose());
      this.cap.geometry.dispose();
    }
    this.parts = this.cap = null;
    if (this.on && viewer.part) {
      this.parts = new T.Group();
      for (const [side, operation] of [[T.BackSide, T.IncrementWrapStencilOp], [T.FrontSide, T.DecrementWrapStencilOp]]) {
        const material = new T.MeshBasicMaterial({
          side, depthWrite: false, depthTest: false, colorWrite: false, clippingPlanes: this.planes, stencilWrite: true,
          stencilFunc: T.AlwaysStencilFunc, stencilFail: operation, stencilZFail: operation, stencilZPass: operation});
        const mesh = new T.Mesh(viewer.part.geometry, material);
        mesh.renderOrder = 1;
        this.parts.add(mesh);
      }
      const side = 4 * viewer.radius;
      this.cap = new T.Mesh(new T.PlaneGeometry(side, side), new T.MeshBasicMaterial({
        color: CAP, side: T.DoubleSide, stencilWrite: true, stencilRef: 0, stencilFunc: T.NotEqualStencilFunc,
        stencilFail: T.ReplaceStencilOp, stencilZFail: T.ReplaceStencilOp, stencilZPass: T.ReplaceStencilOp}));
      this.cap.renderOrder = 1.1;
      this.cap.onAfterRender = (renderer) => renderer.clearStencil();
      this.parts.add(this.cap);
      viewer.scene.add(this.parts);
    }
    this.change();
  }

  /** Put the plane where the slider stands. */
  change() {
    const {viewer, axis} = this, half = viewer.size?.getComponent(axis) / 2 || 1;
    this.at = half * (Number(this.range.value) * 0.998 + 0.001);  // never on an outer face
    const sign = this.flipped ? 1 : -1;
    this.plane.normal.set(0, 0, 0).setComponent(axis, sign);
    this.plane.constant = -sign * this.at;
    if (this.cap) {
      this.plane.coplanarPoint(this.cap.position);
      this.cap.lookAt(this.cap.position.clone().sub(this.plane.normal));
      this.parts.visible = viewer.mode() !== 'cloud';
    }
    this.range.setAttribute('aria-valuetext', viewer.data ? viewer.length(this.at + viewer.origin[axis]) : '');
    viewer.draw();
  }

  keeps(point) { return !this.planes.length || this.plane.distanceToPoint(point) >= 0; }

  /** Where the knob is, at the edge of the cut; and no lines. */
  drawn() {
    if (!this.on) return '';
    const place = new T.Vector3();
    place.setComponent(this.axis, this.at);
    const [x, y] = this.viewer.onStage(place);
    this.knob.style.left = `${x}px`;
    this.knob.style.top = `${y}px`;
    return '';
  }

  drag(down) {
    const {viewer, axis, range} = this;
    const unit = new T.Vector3().setComponent(axis, viewer.radius);
    const [ax, ay] = viewer.onStage(unit), [ox, oy] = viewer.onStage(new T.Vector3());
    let [dx, dy] = [(ax - ox) / viewer.radius, (ay - oy) / viewer.radius];  // pixels for a unit of length
    if (Math.hypot(dx, dy) < 0.1 * viewer.camera.zoom) [dx, dy] = [0, -viewer.camera.zoom];  // seen from its end
    const half = viewer.size.getComponent(axis) / 2, from = Number(range.value);
    this.knob.setPointerCapture(down.pointerId);
    this.knob.onpointermove = (move) => {
      const along = ((move.clientX - down.clientX) * dx + (move.clientY - down.clientY) * dy) / (dx * dx + dy * dy);
      range.value = Math.min(Math.max(from + along / half, -1), 1);
      this.change();
    };
    this.knob.onpointerup = () => { this.knob.onpointermove = null; };
    down.preventDefault();
  }
}
