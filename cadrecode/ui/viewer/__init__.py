"""The 3D view of a part, which a browser draws with three.js."""
