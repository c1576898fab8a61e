# ruff: noqa: E501
"""Meshes and scenes, by format: counts that lie, graphs without an end, packages that swell, huge numbers."""

import base64
import io
import json
import struct
import zipfile

import numpy as np

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
QUADS = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
TRIANGLES = [t for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d))]
HUGE = "9" * 4000


def npz(entries: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def stl(n: int, body: bytes) -> bytes:
    return b"made for an attack".ljust(80) + struct.pack("<I", n) + body


def facets(corner: str, n: int) -> bytes:
    return (
        "solid a\n" + f"facet\n{f'vertex {corner}' * 1} vertex 0 1 0 vertex 1 0 0\nendfacet\n" * n + "endsolid\n"
    ).encode()


STL = {
    "2^32 - 1 triangles": lambda: stl(2**32 - 1, bytes(5000)),
    "triangles without area": lambda: stl(100_000, bytes(5_000_000)),
    "triangles of nan": lambda: stl(100, b"\xff" * 5000),
    "random triangles": lambda: stl(200_000, np.random.default_rng(0).bytes(10_000_000)),
    "text: facets by the hundred thousand": lambda: facets("0 0 0", 200_000),
    "text: vertices of 4,000 digits": lambda: facets(f"{HUGE} 0 0", 100),
    "text: vertices of 1e999": lambda: facets("1e999 0 0", 100),
    "text: blanks by the million": lambda: b"solid facet vertex" + b" " * 5_000_000,
    "text: vertex by the million": lambda: b"solid facet " + b"vertex " * 1_500_000 + b"endsolid",
    "text: facet by the million": lambda: b"solid a " + b"facet " * 2_000_000 + b"endsolid",
    "text: words alone": lambda: b"solid facet " + b"a" * 10_000_000,
    "text: vertices alone": lambda: b"solid facet\n" + b"vertex 0 0 0\n" * 800_000 + b"endsolid",
    "nothing": lambda: b"solid",
}
OBJ = {
    "vertices by the million": lambda: b"v 0 0 0\n" * 1_000_000 + b"f 1 2 3\n",
    "faces by the million": lambda: b"v 0 0 0\nv 1 0 0\nv 0 1 0\n" + b"f 1 2 3\n" * 1_000_000,
    "a face of a million": lambda: b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf" + b" 1" * 500_000 + b"\n",
    "a face of many lines": lambda: b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf" + b" 1\\\n" * 1_000_000,
    "continued without an end": lambda: b"v 0 0 0\n" + b"\\\n" * 5_000_000,
    "an index of 4,000 digits": lambda: f"v 0 0 0\nf 1 1 {HUGE}\n".encode(),
    "an index of 5,000 digits": lambda: f"v 0 0 0\nf 1 1 {'9' * 5000}\n".encode(),
    "an index of 2^63": lambda: f"v 0 0 0\nf 1 1 {2**63}\n".encode(),
    "an index of -2^63": lambda: f"v 0 0 0\nf 1 1 -{2**63}\n".encode(),
    "an index of zero": lambda: b"v 0 0 0\nf 0 0 0\n",
    "a vertex of 4,000 digits": lambda: f"v {HUGE} 0 0\nf 1 1 1\n".encode(),
    "a vertex of 1e999": lambda: b"v 1e999 0 0\n" * 40 + b"f 1 2 3\n",
    "slashes": lambda: b"v 0 0 0\nf " + b"/" * 500_000 + b" 1 1\n",
    "a line of 20 MB": lambda: b"v 0 0 0\nf" + b" 1" * 10_000_000,
    "groups by the million": lambda: b"g\n" * 5_000_000,
    "empty lines": lambda: b"v 0 0 0\n" + b"\n" * 10_000_000,
    "other line ends": lambda: "v 0 0 0\u2028v 1 1 1\x0bv 2 2 2\x85".encode() * 1000,
}
OFF = {
    "10^12 vertices": lambda: b"OFF\n1000000000000 1 0\n" + b"0 0 0\n" * 50,
    "4,000 digits of vertices": lambda: f"OFF\n{HUGE} {HUGE} 0\n".encode() + b"0 0 0\n" * 50,
    "minus one vertex": lambda: b"OFF\n-1 -1 0\n" + b"0 0 0\n" * 50,
    "no vertices": lambda: b"OFF\n0 0 0\n",
    "vertices by the million": lambda: b"OFF\n1000000 1 0\n" + b"0 0 0\n" * 1_000_000 + b"3 0 1 2\n",
    "faces by the million": lambda: b"OFF\n3 1000000 0\n0 0 0\n1 0 0\n0 1 0\n" + b"3 0 1 2\n" * 1_000_000,
    "a face of 10^12": lambda: b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n1000000000000 0 1 2\n",
    "a face of 4,000 digits": lambda: f"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n{HUGE} 0 1 2\n".encode(),
    "a face of minus three": lambda: b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n-3 0 1 2\n",
    "an index of 4,000 digits": lambda: f"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 {HUGE}\n".encode(),
    "an index of 2^63": lambda: f"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 {2**63}\n".encode(),
    "an index of minus one": lambda: b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 -1\n",
    "a vertex of 1e999": lambda: b"OFF\n3 1 0\n1e999 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
    "counts in the name": lambda: f"OFF{HUGE} 1 0\n0 0 0\n".encode(),
    "a face of many": lambda: b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n400000" + b" 1" * 400_000 + b"\n",
    "comments by the million": lambda: b"OFF\n" + b"#\n" * 5_000_000,
    "a line of 20 MB": lambda: b"OFF\n" + b"1 " * 10_000_000,
}


def glb(tree: dict | bytes, body: bytes = b"") -> bytes:
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def scene(**changes) -> dict:
    """A cube; `changes` replace parts of its tree."""
    view = {"buffer": 0, "byteOffset": 0, "byteLength": 96}
    tree = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5121, "count": 36, "type": "SCALAR"},
        ],
        "bufferViews": [view, {"buffer": 0, "byteOffset": 96, "byteLength": 36}], "buffers": [{"byteLength": 132}],
    }  # fmt: skip
    return tree | changes


BODY = CUBE.astype("<f4").tobytes() + np.array(TRIANGLES, "u1").tobytes()


def accessor(number: int, **changes) -> dict:
    tree = scene()
    tree["accessors"][number] |= changes
    return tree


def chain(n: int) -> list[dict]:
    return [{"children": [i + 1], "mesh": 0} for i in range(n - 1)] + [{"mesh": 0}]


GLB = {
    "200,000 nodes": lambda: glb(scene(nodes=[{"mesh": 0}] * 200_000, scenes=[{"nodes": list(range(200_000))}]), BODY),
    "90,000 nodes": lambda: glb(scene(nodes=[{"mesh": 0}] * 90_000, scenes=[{"nodes": list(range(90_000))}]), BODY),
    "nodes in a chain of 50,000": lambda: glb(scene(nodes=chain(50_000)), BODY),
    "a node that is its own child": lambda: glb(scene(nodes=[{"mesh": 0, "children": [0]}]), BODY),
    "nodes in a circle": lambda: glb(scene(nodes=[{"mesh": 0, "children": [1]}, {"children": [0]}]), BODY),
    "nodes that double": lambda: glb(
        scene(nodes=[{"mesh": 0, "children": [i + 1, i + 1]} for i in range(60)] + [{"mesh": 0}]), BODY),
    "a mesh of many primitives": lambda: glb(
        scene(meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}] * 90_000}]), BODY),
    "a large mesh many times": lambda: glb(scene(
        nodes=[{"mesh": 0}] * 1000, scenes=[{"nodes": list(range(1000))}],
        meshes=[{"primitives": [{"attributes": {"POSITION": 0}}]}],
        accessors=[{"bufferView": 0, "componentType": 5126, "count": 90_000, "type": "VEC3"}],
        bufferViews=[{"buffer": 0, "byteLength": 1_080_000}]), bytes(1_080_000)),
    "JSON nested 100,000 deep": lambda: glb(b"[" * 100_000 + b"]" * 100_000),
    "JSON nested in extras": lambda: glb(json.dumps(scene())[:-1].encode() + b',"extras":' + b"[" * 900 + b"]" * 900 + b"}", BODY),
    "JSON of empty lists": lambda: glb(b'{"a":[' + b"[]," * 3_000_000 + b"[]]}"),
    "JSON of a huge number": lambda: glb(f'{{"scene":{HUGE}{HUGE}}}'.encode()),
    "JSON that is a list": lambda: glb(b"[1]"),
    "JSON length beyond": lambda: b"glTF" + struct.pack("<III4s", 2, 40, 2**32 - 1, b"JSON") + b" " * 20,
    "count of 10^12": lambda: glb(accessor(0, count=10**12), BODY),
    "count of minus one": lambda: glb(accessor(0, count=-1), BODY),
    "count of 4,000 digits": lambda: glb(json.dumps(accessor(0, count=7)).replace('"count": 7', f'"count": {HUGE}').encode(), BODY),
    "count of a text": lambda: glb(accessor(0, count="8"), BODY),
    "offset beyond": lambda: glb(accessor(0, byteOffset=10**9), BODY),
    "offset of minus one": lambda: glb(accessor(0, byteOffset=-1), BODY),
    "indices of floats": lambda: glb(accessor(1, componentType=5126, count=9), BODY),
    "indices beyond": lambda: glb(scene(), BODY[:96] + b"\xff" * 36),
    "a stride of nothing": lambda: glb(scene(bufferViews=[{"buffer": 0, "byteStride": 0}, {"buffer": 0, "byteOffset": 96}]), BODY),
    "a stride of one": lambda: glb(scene(bufferViews=[{"buffer": 0, "byteStride": 1}, {"buffer": 0, "byteOffset": 96}]), BODY),
    "a stride below zero": lambda: glb(scene(bufferViews=[{"buffer": 0, "byteStride": -12}, {"buffer": 0, "byteOffset": 96}]), BODY),
    "positions of nan": lambda: glb(scene(), b"\xff" * 96 + BODY[96:]),
    "matrix of nan": lambda: glb(scene(nodes=[{"mesh": 0, "matrix": [float("nan")] * 16}]), BODY),
    "matrix of three": lambda: glb(scene(nodes=[{"mesh": 0, "matrix": [1, 2, 3]}]), BODY),
    "scale of 1e300, deep": lambda: glb(scene(nodes=[n | {"scale": [1e300] * 3} for n in chain(90)]), BODY),
    "a file of the machine": lambda: glb(scene(buffers=[{"uri": "file:///etc/passwd", "byteLength": 132}]), BODY),
    "data that is none": lambda: glb(scene(buffers=[{"uri": "data:;base64,%%%%", "byteLength": 132}])),
    "data in text": lambda: glb(scene(buffers=[{"uri": "data:;base64," + base64.b64encode(BODY).decode(), "byteLength": 132}])),
    "mesh of minus one": lambda: glb(scene(nodes=[{"mesh": -1}]), BODY),
    "mesh of a thousand": lambda: glb(scene(nodes=[{"mesh": 1000}]), BODY),
    "scene of minus five": lambda: glb(scene(scene=-5), BODY),
    "nodes are a text": lambda: glb(scene(nodes="nodes"), BODY),
    "strip": lambda: glb(scene(meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": 5}]}]), BODY),
    "fan of nothing": lambda: glb(scene(meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": 6}]}]) | {
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 0, "type": "VEC3"}]}, BODY),
}  # fmt: skip


def threemf(model: str | bytes, name: str = "3D/3dmodel.model", kind: int = zipfile.ZIP_DEFLATED, **more) -> bytes:
    return npz(
        {"[Content_Types].xml": b"<Types/>", name: model if isinstance(model, bytes) else model.encode(), **more}, kind
    )


def model(objects: str, items: str = '<item objectid="1"/>', head: str = "") -> str:
    return f'<?xml version="1.0"?>{head}<model unit="millimeter"><resources>{objects}</resources><build>{items}</build></model>'


MESH = (
    '<object id="1"><mesh><vertices>' + "".join(f'<vertex x="{x}" y="{y}" z="{z}"/>' for x, y, z in CUBE.tolist())
    + "</vertices><triangles>" + "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in TRIANGLES)
    + "</triangles></mesh></object>"
)  # fmt: skip


def groups(levels: int, width: int) -> str:
    return MESH + "".join(
        f'<object id="{n}"><components>' + f'<component objectid="{n - 1}"/>' * width + "</components></object>"
        for n in range(2, levels)
    )


LAUGHS = '<!DOCTYPE a [<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)) + "]>"  # fmt: skip
THREEMF = {
    "0.3 MB unpack to 300 MB": lambda: threemf(model(MESH) + " " * 300_000_000),
    "vertices that unpack to 300 MB": lambda: threemf(
        model('<object id="1"><mesh><vertices>' + '<vertex x="0" y="0" z="0"/>' * 10_000_000)),
    "vertices that unpack to 100 MB": lambda: threemf(
        model('<object id="1"><mesh><vertices>' + '<vertex x="0" y="0" z="0"/>' * 3_000_000 + "</vertices></mesh></object>")),
    "groups that double": lambda: threemf(model(groups(60, 2), '<item objectid="59"/>')),
    "groups by the hundred": lambda: threemf(model(groups(6, 100), '<item objectid="5"/>')),
    "a group of itself": lambda: threemf(model('<object id="1"><components><component objectid="1"/></components></object>')),
    "items by the hundred thousand": lambda: threemf(model(MESH, '<item objectid="1"/>' * 200_000)),
    "objects by the million": lambda: threemf(model('<object id="1"/>' * 1_000_000)),
    "entities": lambda: threemf(model(f'<object id="1" name="&a11;"/>{MESH}', head=LAUGHS)),
    "an entity of the machine": lambda: threemf(
        model("&x;", head='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>')),
    "an encoding that nobody knows": lambda: threemf(
        model(MESH).replace('"1.0"', f'"1.0" encoding="{"x" * 9000}"', 1)),
    "tags nested a million deep": lambda: threemf("<model>" + "<a>" * 1_000_000),
    "a tag of 40 MB": lambda: threemf("<model><a " + "b" * 40_000_000),
    "an attribute of 40 MB": lambda: threemf('<model><a b="' + "b" * 40_000_000 + '"/></model>'),
    "text of 40 MB": lambda: threemf("<model>" + "b" * 40_000_000 + "</model>"),
    "comment of 40 MB": lambda: threemf("<model><!--" + "b" * 40_000_000 + "--></model>"),
    "attributes by the thousand": lambda: threemf("<model><a " + " ".join(f'b{n}="1"' for n in range(90_000)) + "/></model>"),
    "a vertex of 4,000 digits": lambda: threemf(model(MESH.replace('x="1.0"', f'x="{HUGE}"'))),
    "a vertex of nan": lambda: threemf(model(MESH.replace('x="1.0"', 'x="nan"'))),
    "a vertex without x": lambda: threemf(model(MESH.replace('x="1.0"', ""))),
    "an index of 4,000 digits": lambda: threemf(model(MESH.replace('v1="0"', f'v1="{HUGE}"'))),
    "an index of minus one": lambda: threemf(model(MESH.replace('v1="0"', 'v1="-1"'))),
    "a transform of words": lambda: threemf(model(MESH, '<item objectid="1" transform="a b c"/>')),
    "a transform of 10 MB": lambda: threemf(model(MESH, '<item objectid="1" transform="' + "1 " * 400_000 + '"/>')),
    "a transform of nan": lambda: threemf(model(MESH, '<item objectid="1" transform="' + "nan " * 12 + '"/>')),
    "another file": lambda: threemf(model(MESH, '<item objectid="1" p:path="/../../../etc/passwd"/>')),
    "two files that name each other": lambda: threemf(
        model('<object id="1"><components><component objectid="1" p:path="/3D/b.model"/></components></object>'),
        **{"3D/b.model": model(
            '<object id="1"><components><component objectid="1" p:path="/3D/3dmodel.model"/></components></object>').encode()}),
    "bzip2": lambda: threemf(model(MESH) + " " * 10**7, kind=zipfile.ZIP_BZIP2),
    "models by the thousand": lambda: threemf(model(MESH), **{f"3D/{n}.model": b"<model/>" for n in range(5_000)}),
    "no build": lambda: threemf("<model><resources/></model>"),
    "no mesh": lambda: threemf(model('<object id="1"/>')),
    "not XML": lambda: threemf(b"\x00" * 100),
    "utf-16": lambda: threemf(model(MESH).encode("utf-16")),
    "another encoding": lambda: threemf('<?xml version="1.0" encoding="utf-7"?><model/>'),
    "cut": lambda: threemf(model(MESH))[:-40],
}  # fmt: skip
