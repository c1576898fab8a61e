// Draws the shapes of the gallery when they come into sight, and turns all shapes of a card together. One renderer draws
// them all and its picture is copied to each canvas: browsers allow only a few renderers.
const PART = 0xc7d4cf, EDGE = 0x29333f, CLOUD = 0xc2570c;
const START = {around: -0.95, tilt: 0.5}, STEP = Math.PI / 12, PER_PIXEL = 0.01;
const ARROWS = {ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP]};
const LONGEST = 32767, FILL = 0.92;  // of a canvas, by the shape's diagonal

/** The bytes of a compressed text. */
const unpack = (text) => new Response(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]).stream()
  .pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();

async function begin() {
  const code = new Blob([await unpack(document.getElementById('three').textContent)], {type: 'text/javascript'});
  const T = await import(URL.createObjectURL(code));
  const shapes = JSON.parse(document.getElementById('shapes').textContent);
  const renderer = new T.WebGLRenderer({antialias: true, alpha: true});
  const camera = new T.OrthographicCamera(-1, 1, 1, -1, -10, 10);
  camera.up.set(0, 0, 1);

  /** A scene from `turnable._packed`: {scene, radius}. */
  async function made(text) {
    const bytes = await unpack(text), [farthest] = new Float32Array(bytes, 0, 1);
    const [places, faces, edges] = new Uint32Array(bytes, 4, 3);
    const corners = new Uint32Array(bytes, 16, 3 * faces), ends = new Uint32Array(bytes, 16 + 12 * faces, 2 * edges);
    const whole = new Int16Array(bytes, 16 + 12 * faces + 8 * edges, 3 * places);
    const at = Float32Array.from(whole, (x) => x / LONGEST * farthest);
    const geometry = (numbers) => {
      const result = new T.BufferGeometry();
      const chosen = numbers ? Float32Array.from({length: 3 * numbers.length}, (_, i) => at[3 * numbers[Math.floor(i / 3)] + i % 3]) : at;
      return result.setAttribute('position', new T.BufferAttribute(chosen, 3));
    };
    const scene = new T.Scene(), light = new T.DirectionalLight(0xffffff, 2.1);
    scene.add(new T.HemisphereLight(0xffffff, 0x8a94a3, 1.5), light);
    if (faces) {
      scene.add(new T.Mesh(geometry(corners), new T.MeshLambertMaterial({
        color: PART, flatShading: true, side: T.DoubleSide, polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1})));
      scene.add(new T.LineSegments(geometry(ends), new T.LineBasicMaterial({color: EDGE})));
    } else {
      scene.add(new T.Points(geometry(null), new T.PointsMaterial({color: CLOUD, size: 1.6 * devicePixelRatio, sizeAttenuation: false})));
    }
    let radius = 1e-9;
    for (let i = 0; i < at.length; i += 3) radius = Math.max(radius, Math.hypot(at[i], at[i + 1], at[i + 2]));
    return {scene, light, radius};
  }

  function draw({canvas, shape}, view, least) {
    const pixels = Math.round(canvas.clientWidth * devicePixelRatio) || 1;
    const away = new T.Vector3(Math.cos(view.tilt) * Math.cos(view.around), Math.cos(view.tilt) * Math.sin(view.around), Math.sin(view.tilt));
    const reach = Math.max(shape.radius, least) / FILL;
    camera.position.copy(away.multiplyScalar(reach));
    Object.assign(camera, {left: -reach, right: reach, top: reach, bottom: -reach, near: -9 * reach, far: 9 * reach});
    camera.updateProjectionMatrix();
    camera.lookAt(0, 0, 0);
    shape.light.position.copy(camera.position).add(new T.Vector3(0, 0, 0.3 * reach));
    renderer.setSize(pixels, pixels, false);
    renderer.render(shape.scene, camera);
    canvas.width = canvas.height = pixels;
    canvas.getContext('2d').drawImage(renderer.domElement, 0, 0);
  }

  /** Draw a card, and listen to hands on it. */
  async function open(card) {
    const view = {...START};
    const figures = await Promise.all([...card.querySelectorAll('canvas')].map(async (canvas) => (
      {canvas, shape: await made(shapes[canvas.dataset.shape])})));
    let waiting = null;
    const redraw = () => {
      waiting ??= requestAnimationFrame(() => {
        waiting = null;
        for (const figure of figures) draw(figure, view, figures[0].shape.radius);
        card.dataset.drawn = `${view.around.toFixed(2)} ${view.tilt.toFixed(2)}`;
      });
    };
    const turn = (around, tilt) => {
      view.around += around;
      view.tilt = Math.min(Math.max(view.tilt + tilt, -1.57), 1.57);
      redraw();
    };
    for (const {canvas} of figures) {
      canvas.addEventListener('pointerdown', (event) => canvas.setPointerCapture(event.pointerId));
      canvas.addEventListener('pointermove', (event) => {
        if (event.buttons) turn(-event.movementX * PER_PIXEL, event.movementY * PER_PIXEL);
      });
      canvas.addEventListener('dblclick', () => { Object.assign(view, START); redraw(); });
      canvas.addEventListener('keydown', (event) => {
        if (!ARROWS[event.key]) return;
        event.preventDefault();
        turn(...ARROWS[event.key]);
      });
    }
    redraw();
  }

  const seen = new IntersectionObserver((entries) => {
    for (const {isIntersecting, target} of entries) {
      if (isIntersecting) { seen.unobserve(target); open(target); }
    }
  }, {rootMargin: '300px'});
  document.querySelectorAll('article').forEach((card) => seen.observe(card));
}

begin().catch((error) => {
  console.warn(error);
  document.querySelector('.broken').hidden = false;
});
