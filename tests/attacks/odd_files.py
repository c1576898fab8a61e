# ruff: noqa: E501
"""More files by reader: lists and counts that lie, groups of groups, accessors without data, packings within text."""

import gzip
import io
import struct
import zipfile

import numpy as np

from tests.attacks.attack import Attack, Route
from tests.attacks.files import BINARY, FACES, SECONDS, allowed_mb, las, npy, packed, pcd, ply, reader, shape
from tests.attacks.meshes import BODY, CUBE, MESH, accessor, glb, model, npz, scene, stl, threemf

CORNERS = CUBE.astype("<f4").tobytes()


def noise(size: int) -> bytes:
    return np.random.default_rng(0).bytes(size)


def objects() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([[1, 2, 3]] * 40, dtype=object), allow_pickle=True)
    return file.getvalue()


FILES = {
    ".ply": {
        "list count uchar 255, many rows of lists of doubles": lambda: ply(BINARY, 8, CORNERS+ (b"\xff"+bytes(255*8))*3000,"element face 3000\nproperty list uchar double vertex_indices\n"),
        "faces of 255 corners": lambda: ply(BINARY, 8, CORNERS+(b"\xff"+bytes(255))*20000,FACES.format(n=20000,c="uchar",t="uchar")),
        "faces alternate 3 and 255": lambda: ply(BINARY, 8, CORNERS+(b"\x03\0\1\2"+b"\xff"+bytes(255))*10000,FACES.format(n=20000,c="uchar",t="uchar")),
        "faces alternate 3 and 4": lambda: ply(BINARY, 8, CORNERS+(b"\x03\0\1\2"+b"\x04\0\1\2\3")*600000,FACES.format(n=1200000,c="uchar",t="uchar")),
        "two lists": lambda: ply(BINARY, 8, CORNERS+(b"\x03\0\1\2"+b"\x00")*500000,"element face 500000\nproperty list uchar uchar vertex_indices\nproperty list uchar uchar t\n"),
        "two lists differing": lambda: ply(BINARY, 8, CORNERS+(b"\x03\0\1\2"+b"\x00"+b"\x03\0\1\2"+b"\x01\0")*250000,"element face 500000\nproperty list uchar uchar vertex_indices\nproperty list uchar uchar t\n"),
        "faces with 200 scalar props": lambda: ply(BINARY, 8, CORNERS+(b"\x03\0\1\2"+bytes(200))*20000,"element face 20000\nproperty list uchar uchar vertex_indices\n"+"".join(f"property uchar p{i}\n" for i in range(200))),
        "mesh vertices uchar 1M + 1M faces": lambda: ply(BINARY, 10**6, noise(3*10**6)+b"\3\0\1\2"*10**6,FACES.format(n=10**6,c="uchar",t="uchar"),t="uchar"),
        "vertex with 100 double props": lambda: ply(BINARY, 20000, bytes(20000*(12+800)),"".join(f"property double q{i}\n" for i in range(100))),
        "face element first": lambda: (b"ply\nformat binary_little_endian 1.0\nelement face 1000000\nproperty list uchar uchar vertex_indices\nelement vertex 8\nproperty float x\nproperty float y\nproperty float z\nend_header\n")+b"\3\0\1\2"*10**6+CORNERS,
        "vertex announced twice": lambda: (b"ply\nformat ascii 1.0\nelement vertex 40\nproperty float x\nproperty float y\nproperty float z\nelement vertex 1000000000\nproperty float x\nproperty float y\nproperty float z\nend_header\n")+b"1 2 3\n"*40,
        "ascii vertex blank lines": lambda: ply("ascii",40,b"\n"*5_000_000+b"1 2 3\n"*40),
        "ascii faces of different size": lambda: ply("ascii",8,b"0 0 0\n"*8+b"3 0 1 2\n4 0 1 2 3\n"*300000,FACES.format(n=600000,c="uchar",t="int")),
        "ascii one face of 400k": lambda: ply("ascii",8,b"0 0 0\n"*8+b"400000"+b" 1"*400000+b"\n",FACES.format(n=1,c="uint",t="int")),
        "ascii faces of 60 corners": lambda: ply("ascii",8,b"0 0 0\n"*8+(b"60"+b" 1"*60+b"\n")*40000,FACES.format(n=40000,c="uint",t="int")),
        "big endian 2^63 count": lambda: ply("binary_big_endian",2**63,bytes(9999)),
        "list of 2^31-1 in second face": lambda: ply(BINARY, 8, CORNERS+struct.pack("<i",3)+bytes(12)+struct.pack("<i",2**31-1)+bytes(90),FACES.format(n=2,c="int",t="int")),
    },
    ".stl": {
        "count lies small": lambda: stl(1,bytes(5_000_000)),
        "count lies 0": lambda: stl(0,noise(5_000_000)),
        "solid header binary": lambda: b"solid ".ljust(80)+struct.pack("<I",2**31)+bytes(5_000_000),
        "text long numbers": lambda: b"solid x\n"+(b"facet normal 0 0 1\nouter loop\n"+b"vertex "+b"1."+b"0"*3000+b" 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n")*2000+b"endsolid",
        "utf16 text": lambda: "solid x\nfacet\nvertex 0 0 0\n".encode("utf-16")*100000,
    },
    ".obj": {
        "negative indices": lambda: b"v 0 0 0\nv 1 0 0\nv 0 1 0\n"+b"f -1 -2 -3\n"*700000,
        "mtllib of machine": lambda: b"mtllib /etc/passwd\nusemtl x\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
        "call another": lambda: b"call /etc/passwd\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
    },
    ".off": {
        "binary off": lambda: b"OFF BINARY\n"+struct.pack(">III",2**31,2**31,0)+bytes(1000),
        "nOFF 10^9 dims": lambda: b"nOFF\n1000000000\n3 1 0\n"+b"0 "*1000,
        "counts on many lines": lambda: b"OFF\n"+b"\n"*3_000_000+b"3\n1\n0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
    },
    ".glb": {
        "sparse 10^9": lambda: glb(accessor(0, sparse={"count":10**9,"indices":{"bufferView":0,"componentType":5125},"values":{"bufferView":0}}), BODY),
        "sparse only": lambda: glb(scene(accessors=[{"componentType":5126,"count":5*10**8,"type":"VEC3","sparse":{"count":1,"indices":{"bufferView":0,"componentType":5125},"values":{"bufferView":0}}},{"bufferView":1,"componentType":5121,"count":36,"type":"SCALAR"}]),BODY),
        "no bufferView zeros": lambda: glb(scene(accessors=[{"componentType":5126,"count":10**9,"type":"VEC3"},{"bufferView":1,"componentType":5121,"count":36,"type":"SCALAR"}]),BODY),
        "stride 0 count": lambda: glb(scene(bufferViews=[{"buffer":0,"byteLength":96,"byteStride":0},{"buffer":0,"byteOffset":96,"byteLength":36}],accessors=[{"bufferView":0,"componentType":5126,"count":10**8,"type":"VEC3"},{"bufferView":1,"componentType":5121,"count":36,"type":"SCALAR"}]),BODY),
        "componentType list": lambda: glb(accessor(0, componentType=[5126]), BODY),
        "draco": lambda: glb(scene(extensionsRequired=["KHR_draco_mesh_compression"],meshes=[{"primitives":[{"attributes":{"POSITION":0},"indices":1,"extensions":{"KHR_draco_mesh_compression":{"bufferView":0,"attributes":{"POSITION":0}}}}]}]),BODY),
        "instancing ext": lambda: glb(scene(nodes=[{"mesh":0,"extensions":{"EXT_mesh_gpu_instancing":{"attributes":{"TRANSLATION":0}}}}]),BODY),
        "strip of 10^6": lambda: glb(scene(meshes=[{"primitives":[{"attributes":{"POSITION":0},"mode":5}]}],accessors=[{"bufferView":0,"componentType":5126,"count":300000,"type":"VEC3"}],bufferViews=[{"buffer":0,"byteLength":3_600_000}]),noise(3_600_000)),
        "many accessors": lambda: glb(scene(accessors=[{"bufferView":0,"componentType":5126,"count":8,"type":"VEC3"}]*300000),BODY),
        "100 primitives of shared indices": lambda: glb(scene(meshes=[{"primitives":[{"attributes":{"POSITION":0},"indices":1}]*200}],accessors=[{"bufferView":0,"componentType":5126,"count":8,"type":"VEC3"},{"bufferView":1,"componentType":5121,"count":900000,"type":"SCALAR"}],bufferViews=[{"buffer":0,"byteLength":96},{"buffer":0,"byteOffset":96,"byteLength":900000}]),CORNERS+bytes(900000)),
        "nodes quadratic children": lambda: glb(scene(nodes=[{"children":list(range(1,3000))}]+[{"children":[],"mesh":0}]*3000),BODY),
        "name of 20MB": lambda: glb(scene(nodes=[{"mesh":0,"name":"x"*20_000_000}]),BODY),
        "rotation zero": lambda: glb(scene(nodes=[{"mesh":0,"rotation":[0,0,0,0]}]),BODY),
        "scale text": lambda: glb(scene(nodes=[{"mesh":0,"scale":"abc"}]),BODY),
        "null everything": lambda: glb(dict.fromkeys(scene())),
        "duplicate keys": lambda: glb(b'{"asset":1,'+b'"a":1,'*500000+b'"scene":0}'),
        "chunk chain": lambda: b"glTF"+struct.pack("<II",2,8*500000+12)+(struct.pack("<I",0)+b"ABCD")*500000,
    },
    ".3mf": {
        "components with transforms": lambda: threemf(model(MESH+'<object id="2"><components>'+'<component objectid="1" transform="1 0 0 0 1 0 0 0 1 5 5 5"/>'*30000+'</components></object>','<item objectid="2"/>')),
        "component chain 50k": lambda: threemf(model(MESH+"".join(f'<object id="{n}"><components><component objectid="{n-1}"/></components></object>' for n in range(2,50000)),'<item objectid="49999"/>')),
        "mesh huge used many": lambda: threemf(model('<object id="1"><mesh><vertices>'+'<vertex x="0" y="0" z="0"/>'*100000+'</vertices><triangles>'+'<triangle v1="0" v2="1" v3="2"/>'*100000+'</triangles></mesh></object>','<item objectid="1"/>'*60)),
        "same id many objects": lambda: threemf(model(MESH*20000)),
        "names odd": lambda: npz({"[Content_Types].xml":b"x","3D\\3dmodel.model":model(MESH).encode()}),
        "model twice": lambda: npz({"3D/3dmodel.model":model(MESH).encode(),"3D/3DMODEL.MODEL":b"<x>"}),
        "other entries swollen": lambda: npz({"3D/3dmodel.model":model(MESH).encode(),"Metadata/thumb.png":bytes(100_000_000)}),
        "cdata": lambda: threemf("<model><![CDATA["+"x"*50_000_000+"]]></model>"),
        "processing instruction": lambda: threemf("<model><?x "+"x"*50_000_000+"?></model>"),
        "namespaces by thousand": lambda: threemf("<model "+" ".join(f'xmlns:a{i}="u{i}"' for i in range(50000))+">"+MESH+"</model>"),
        "attr float huge exp": lambda: threemf(model(MESH.replace('x="1.0"','x="1e400"'))),
        "param entities": lambda: threemf('<!DOCTYPE a [<!ENTITY % p "x"> %p;]><model/>'),
        "stored bomb lie": lambda: (lambda z:z.replace(struct.pack("<I",len(model(MESH))),struct.pack("<I",2**32-1)))(npz({"3D/3dmodel.model":model(MESH).encode()},zipfile.ZIP_STORED)),
    },
    ".npy": {
        "object array": objects,
        "fortran u1 12M": lambda: npy(shape("(4000000, 3)","'|u1'",True),noise(12_000_000)),
        "fortran u1 11 columns": lambda: npy(shape("(1500000, 11)","'|u1'",True),noise(16_500_000)),
        "c u1 11 columns": lambda: npy(shape("(1500000, 11)","'|u1'"),noise(16_500_000)),
        "shape of nested": lambda: npy(shape("((40,), 3)"),bytes(960)),
        "dtype nested subarray": lambda: npy(shape("(40, 3)","[('a', [('b', '<f8', (1000000,))])]"),bytes(960)),
        "empty dtype V0": lambda: npy(shape("(1000000000000, 3)","'|V0'"),bytes(960)),
        "S0": lambda: npy(shape("(1000000000000, 3)","'|S0'"),bytes(960)),
        "header 9999 deep dict": lambda: npy("{'a':"*1500+"1"+"}"*1500),
    },
    ".npz": {
        "object array": lambda: npz({"points.npy":objects()}),
        "object among": lambda: npz({"a.npy":objects(),"b.npy":npy(shape("(40, 3)"),noise(960))}),
        "normals of objects": lambda: npz({"points.npy":npy(shape("(40, 3)"),noise(960)),"normals.npy":objects()}),
        "normals zeros 30M bytes each": lambda: npz({"points.npy":npy(shape("(5000000, 3)","'|u1'"),noise(15_000_000)),"normals.npy":npy(shape("(5000000, 3)","'|u1'"),bytes(15_000_000))}),
        "names odd": lambda: npz({"\u202e/..\\points.npy":npy(shape("(40, 3)"),bytes(960))}),
        "fortran 4M bytes": lambda: npz({"points.npy":npy(shape("(4000000, 3)","'|u1'",True),noise(12_000_000))}),
    },
    ".xyz": {
        "gzip": lambda: gzip.compress(b"1 2 3\n"*1_000_000),
        "100 MB line": lambda: b"1 2 3 "+b"9"*100_000_000+b"\n"+b"1 2 3\n"*40,
        "comment line 60 MB": lambda: b"1 2 3\n"*40+b"# "+b"9"*60_000_000,
        "line 1MB numbers": lambda: (b"1 2 3 "+b"9"*1_000_000+b"\n")*30,
        "11 columns": lambda: b"1 2 3 4 5 6 7 8 9 0 1\n"*500000,
        "many columns differ": lambda: b"".join((b"%d "%i)*500+b"\n" for i in range(3000)),
    },
    ".csv": {
        "quotes 10MB": lambda: b'x,y,z\n'+b'"1","2","3"\n'*800000,
        "quote open": lambda: b'x,y,z\n"1,2,3\n'+b"1,2,3\n"*1_000_000,
        "header 1M columns": lambda: b",".join(b"c%d"%i for i in range(100000))+b"\n1,2,3\n",
        "header with 1MB name": lambda: b"x,y,z,"+b"q"*1_000_000+b"\n"+b"1,2,3,4\n"*50,
    },
    ".txt": {
        "utf-16 by the megabyte": lambda: ("1 2 3\n"*1_000_000).encode("utf-16"),
    },
    ".pts": {
        "count then wrong": lambda: b"999999999999\n1 2 3 4 5 6 7\n"*3,
    },
    ".pcd": {
        "compressed literal lie": lambda: pcd(100,"binary_compressed",struct.pack("<II",2**31,1200)+bytes(2000)),
        "compressed size 0": lambda: pcd(10**6,"binary_compressed",struct.pack("<II",0,0)),
        "compressed real zeros 100MB": lambda: pcd((1+264*380000)//12,"binary_compressed",packed(1+264*380000,(1+264*380000)//12*12)),
        "ascii 200 fields": lambda: pcd(10000,"ascii",(b"1 "*200+b"\n")*10000," ".join(["x","y","z"]+[f"f{i}" for i in range(197)]),"4 "*200,"1 "*200),
        "count 65535 text": lambda: pcd(30,"ascii",(b"1 "*65538+b"\n")*30,"x y z _","4 4 4 4","1 1 1 65535"),
        "duplicate fields": lambda: pcd(40,"binary",bytes(40*16),"x y z x","4 4 4 4","1 1 1 1"),
        "u8 field x": lambda: pcd(4_000_000,"binary",noise(12_000_000),size="1 1 1",type="U U U"),
    },
    ".las": {
        "count u32 with 10M body": lambda: las(500000,record=20,body=noise(10_000_000)),
        "12 byte records 3M": lambda: las(2_000_000,record=12,body=noise(24_000_000)),
        "evlr 2^64": lambda: las(40,minor=4,start=375,evlrs=1,evlr_start=2**63,body=bytes(5000)),
        "vlr length 65535": lambda: las(40,vlrs=100000,start=227+54*100,body=(bytes(20)+struct.pack("<H",65535)+bytes(32))*2000),
    },
}  # fmt: skip
ROUTES = [
    Route(
        "odd files",
        [
            Attack(
                f"{suffix}: {name}",
                lambda _, suffix=suffix, make=make: (f"a{suffix}", make()),
                SECONDS,
                short=index == 1,
            )
            for suffix, files in FILES.items()
            for index, (name, make) in enumerate(files.items())
        ],
        reader,
        grows_mb=allowed_mb,
    )
]
