export {
  AlwaysStencilFunc, BackSide, BufferAttribute, BufferGeometry, Color, DecrementWrapStencilOp, DirectionalLight, DoubleSide, FrontSide, Group,
  HemisphereLight, IncrementWrapStencilOp, Line3, LineBasicMaterial, LineSegments, Mesh, MeshBasicMaterial, MeshLambertMaterial,
  NotEqualStencilFunc, OrthographicCamera, Plane, PlaneGeometry, Points, PointsMaterial, Raycaster, ReplaceStencilOp, SRGBColorSpace, Scene,
  Vector2, Vector3, WebGLRenderer,
} from 'three';
export {OrbitControls} from 'three/addons/controls/OrbitControls.js';
