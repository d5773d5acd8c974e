"""Meshes from and to PLY, OBJ and STL; plyfile, trimesh and meshio are the judges."""

from pathlib import Path

import meshio
import numpy as np
import plyfile
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr.errors import CorruptDataError, UnsupportedError
from anyzarr.vectors import read_mesh, read_points, store_info, validate, write_mesh, write_points


def sphere() -> tuple[np.ndarray, np.ndarray]:
    made = trimesh.creation.icosphere(subdivisions=2, radius=30.3)
    return np.asarray(made.vertices) + 7.7, np.asarray(made.faces)


def corners(store: object) -> np.ndarray:
    """Corners of all faces, in an order of their own."""
    mesh = read_mesh(store)
    return in_order(mesh.vertices[mesh.faces])


def in_order(faces: np.ndarray) -> np.ndarray:
    """Faces turned to begin with their least corner, and sorted."""
    turned = [np.roll(f, -min(range(len(f)), key=lambda i: tuple(f[i])), axis=0) for f in faces]
    return np.array(sorted(turned, key=lambda f: f.tolist()))


def ply(path: Path, dtype: str, *, text: bool, order: str) -> None:
    vertices, faces = sphere()
    rows = np.zeros(len(vertices), [("x", dtype), ("y", dtype), ("z", dtype), ("red", "u1"),
                    ("green", "u1"), ("blue", "u1"), ("quality", "f4"), ("n", "i2")])  # fmt: skip
    for i, name in enumerate("xyz"):
        rows[name] = vertices[:, i]
    rows["red"] = rows["n"] = np.arange(len(rows)) % 256
    rows["quality"] = np.arange(len(rows)) / 7
    cells = np.zeros(len(faces), [("vertex_indices", "i4", 3), ("label", "u2")])
    cells["vertex_indices"], cells["label"] = faces, np.arange(len(faces))
    if order == ">":  # plyfile 1.1.5 does not swap the bytes of a face's other properties
        kinds = {"u1": "uchar", "i2": "short", "f4": "float", "f8": "double"}
        told = [f"property {kinds[rows.dtype[n].str[1:]]} {n}" for n in rows.dtype.names]
        head = [
            "ply",
            "format binary_big_endian 1.0",
            "comment by hand",
            f"element vertex {len(rows)}",
            *told,
            f"element face {len(cells)}",
            "property list uchar int vertex_indices",
            "property ushort label",
            "end_header",
            "",
        ]
        swapped = np.zeros(len(cells), [("n", "u1"), ("v", ">i4", 3), ("label", ">u2")])
        swapped["n"], swapped["v"], swapped["label"] = 3, faces, cells["label"]
        big = rows.astype(rows.dtype.newbyteorder(">"))
        path.write_bytes("\n".join(head).encode() + big.tobytes() + swapped.tobytes())
        return
    elements = [plyfile.PlyElement.describe(rows, "vertex")]
    elements.append(plyfile.PlyElement.describe(cells, "face"))
    plyfile.PlyData(elements, text=text, byte_order=order, comments=["by hand"]).write(str(path))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("text", "order"), [(True, "<"), (False, "<"), (False, ">")])
def test_a_ply_keeps_places_faces_and_attributes(
    tmp_path: Path, dtype: str, text: bool, order: str
) -> None:
    path, store = tmp_path / "s.ply", tmp_path / "s.zarrvectors"
    ply(path, dtype, text=text, order=order)
    report = anyzarr.convert(path, store, chunk_shape=(20, 20, 20), preserve_order=True)
    assert (report.geometry_type, report.warnings) == ("mesh", ())
    assert validate(store).valid
    vertices, faces = sphere()
    mesh = read_mesh(store)
    assert mesh.vertices.dtype == dtype
    row = mesh.vertex_attributes["input_order"]
    np.testing.assert_array_equal(mesh.vertices, vertices.astype(dtype)[row])
    assert mesh.vertex_attributes["rgb"].dtype == np.uint8
    assert mesh.vertex_attributes["rgb"][:, 0].tolist() == (row % 256).tolist()
    np.testing.assert_array_equal(mesh.vertex_attributes["quality"], (row / 7).astype("f4"))
    assert mesh.vertex_attributes["n"].dtype == np.int16
    np.testing.assert_array_equal(row[mesh.faces], faces[mesh.face_attributes["label"]])

    anyzarr.convert(store, tmp_path / "out.ply")
    out = plyfile.PlyData.read(str(tmp_path / "out.ply"), mmap=False)
    assert out.comments == ["by hand"]
    vertex, face = out["vertex"], out["face"]
    assert vertex["x"].dtype == dtype
    place = np.stack([vertex[name] for name in "xyz"], axis=1)
    np.testing.assert_array_equal(place, vertices.astype(dtype)[vertex["input_order"]])
    np.testing.assert_array_equal(vertex["red"], vertex["input_order"] % 256)
    told = vertex["input_order"][np.stack(face["vertex_indices"])]
    np.testing.assert_array_equal(told, faces[face["label"]])
    with (tmp_path / "out.ply").open("rb") as file:
        theirs = trimesh.load(file, file_type="ply", process=False)
    np.testing.assert_array_equal(
        in_order(np.asarray(theirs.vertices)[theirs.faces]), corners(store).astype("f8")
    )


def test_polygons_stay_where_all_have_one_width(tmp_path: Path) -> None:
    (tmp_path / "q.obj").write_text(
        "mtllib none\no box\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvn 0 0 1\n"
        "f 1/1/1 2/1/1 3/1/1 4/1/1\nv 0.1234567890123456 0 5\nf -1 -3 -2 \\\n -4\n"
    )
    report = anyzarr.convert(tmp_path / "q.obj", tmp_path / "q.zv", preserve_order=True)
    assert "normals, textures" in report.warnings[0]
    mesh = read_mesh(tmp_path / "q.zv")
    row = mesh.vertex_attributes["input_order"]
    assert mesh.vertices.dtype == np.float64
    assert row[mesh.faces].tolist() == [[0, 1, 2, 3], [4, 2, 3, 1]]
    assert mesh.vertices[row == 4].tolist() == [[0.1234567890123456, 0, 5]]
    for suffix in ("obj", "ply"):
        anyzarr.convert(tmp_path / "q.zv", tmp_path / f"out.{suffix}")
        anyzarr.convert(tmp_path / f"out.{suffix}", tmp_path / f"{suffix}.zv")
        np.testing.assert_array_equal(
            corners(tmp_path / f"{suffix}.zv"), corners(tmp_path / "q.zv")
        )
    theirs = meshio.obj.read(str(tmp_path / "out.obj"))
    assert [block.type for block in theirs.cells] == ["quad"]
    np.testing.assert_array_equal(
        in_order(theirs.points[theirs.cells[0].data]), corners(tmp_path / "q.zv")
    )
    anyzarr.convert(tmp_path / "q.zv", tmp_path / "out.stl")
    with (tmp_path / "out.stl").open("rb") as file:
        assert len(trimesh.load(file, file_type="stl").faces) == 4


def test_polygons_of_several_widths_become_triangles(tmp_path: Path) -> None:
    (tmp_path / "m.ply").write_text(
        "ply\nformat ascii 1.0\nelement vertex 5\nproperty double x\nproperty double y\n"
        "property double z\nelement face 2\nproperty list uchar int vertex_index\n"
        "property uchar part\nend_header\n"
        "0 0 0\n1 0 0\n2 1 0\n1 2 0\n0 1 0\n5 0 1 2 3 4 7\n3 0 2 1 9\n"
    )
    report = anyzarr.convert(tmp_path / "m.ply", tmp_path / "m.zv", preserve_order=True)
    assert "3 to 5 vertices" in report.warnings[0]
    mesh = read_mesh(tmp_path / "m.zv")
    faces = mesh.vertex_attributes["input_order"][mesh.faces].tolist()
    assert faces == [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 2, 1]]
    assert mesh.face_attributes["part"].tolist() == [7, 7, 7, 9]


@pytest.mark.parametrize("text", [True, False])
def test_an_stl_keeps_triangles_and_joins_corners(tmp_path: Path, text: bool) -> None:
    vertices, faces = sphere()
    theirs = trimesh.Trimesh(vertices, faces, process=False)
    path = tmp_path / "s.stl"
    theirs.export(path, file_type="stl_ascii" if text else "stl")
    anyzarr.convert(path, tmp_path / "s.zv", chunk_shape=(20, 20, 20))
    mesh = read_mesh(tmp_path / "s.zv")
    assert (mesh.vertex_count, mesh.face_count) == (len(vertices), len(faces))
    expected = in_order((vertices if text else vertices.astype("f4"))[faces])
    np.testing.assert_allclose(corners(tmp_path / "s.zv"), expected, rtol=1e-12)
    anyzarr.convert(tmp_path / "s.zv", tmp_path / "out.stl")
    with (tmp_path / "out.stl").open("rb") as file:
        again = trimesh.load(file, file_type="stl", process=False)
    ours = corners(tmp_path / "s.zv").astype("f4")
    np.testing.assert_array_equal(in_order(again.triangles.astype("f4")), in_order(ours))
    np.testing.assert_allclose(again.face_normals, trimesh.triangles.normals(again.triangles)[0],
                               atol=1e-6)  # fmt: skip


def test_objects_of_a_mesh_are_kept_by_ply_and_told_of_by_others(tmp_path: Path) -> None:
    vertices, faces = sphere()
    two = np.concatenate([vertices, vertices + 100])
    ids = np.repeat([5, 9], len(vertices))
    write_mesh(tmp_path / "a.zv", two, np.concatenate([faces, faces + len(vertices)]),
               object_ids=ids, object_attributes={"name": ["a", "b"]})  # fmt: skip
    report = anyzarr.convert(tmp_path / "a.zv", tmp_path / "a.ply")
    assert "name" in report.warnings[0]
    anyzarr.convert(tmp_path / "a.ply", tmp_path / "b.zv")
    again = read_mesh(tmp_path / "b.zv", object_ids=[9])
    assert again.face_count == len(faces)
    np.testing.assert_array_equal(
        in_order(again.vertices[again.faces]), in_order((vertices + 100).astype("f4")[faces])
    )
    for suffix in ("obj", "stl"):
        report = anyzarr.convert(tmp_path / "a.zv", tmp_path / f"a.{suffix}")
        assert "2 objects" in report.warnings[-1]


def test_a_ply_without_faces_is_points(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    places = rng.normal(0, 50, (200, 3))
    write_points(tmp_path / "p.zv", places, dtype="float64", preserve_order=True,
                 vertex_attributes={"big": np.full(200, 2**53 + 1), "on": places[:, 0] > 0,
                                    "word": np.full(200, "a"), "normal": places / 2},
                 object_ids=np.arange(200) // 50)  # fmt: skip
    report = anyzarr.convert(tmp_path / "p.zv", tmp_path / "p.ply")
    told = " ".join(report.warnings)
    assert "word" in told
    assert "numbers of big are rounded" in told
    anyzarr.convert(tmp_path / "p.ply", tmp_path / "q.zv")
    points = read_points(tmp_path / "q.zv", attribute_names="all", with_object_ids=True)
    assert store_info(tmp_path / "q.zv").geometry_types == ("point_cloud",)
    row = points.vertex_attributes["input_order"]
    np.testing.assert_array_equal(points.positions, places[row])
    np.testing.assert_array_equal(points.vertex_attributes["normal"], places[row] / 2)
    np.testing.assert_array_equal(points.object_ids, row // 50)


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 30), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_mesh_survives(
    tmp_path_factory: pytest.TempPathFactory, n: int, n_faces: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("mesh")
    vertices = rng.normal(0, 1000, (n, 3)).astype("f4")
    faces = np.array([rng.permutation(n)[:3] for _ in range(n_faces)])
    write_mesh(folder / "a.zv", vertices, faces, chunk_shape=(500, 500, 500))
    for suffix in ("ply", "obj", "stl"):
        anyzarr.convert(folder / "a.zv", folder / f"a.{suffix}")
        anyzarr.convert(folder / f"a.{suffix}", folder / f"{suffix}.zv", dtype="float32")
        np.testing.assert_array_equal(corners(folder / f"{suffix}.zv"), in_order(vertices[faces]))


def test_what_is_broken_is_refused(tmp_path: Path) -> None:
    ply(tmp_path / "s.ply", "f4", text=False, order="<")
    whole = (tmp_path / "s.ply").read_bytes()
    vertices, faces = sphere()
    stl = trimesh.Trimesh(vertices, faces).export(file_type="stl")
    text = trimesh.Trimesh(vertices, faces).export(file_type="stl_ascii").encode()
    broken = {
        "a.ply": whole[:-9], "b.ply": whole[:300], "c.ply": b"plx\n", "d.ply": b"",
        "e.ply": whole.replace(b"property float x", b"property float w"),
        "a.stl": stl[:-1], "b.stl": stl[:40], "c.stl": text[:-60], "d.stl": b"",
        "e.stl": text.replace(b"vertex", b"vertices", 1),
        "a.obj": b"v 0 0 0\nf 1 2 3\n", "b.obj": b"v 0 0 0\nf 0 1 1\n", "c.obj": b"v 0 0 x\n",
        "d.obj": b"v 0 0\n", "e.obj": b"v 0 0 0\nv 1 0 0\nf 1 2\n", "f.obj": b"v 0 0 0\nf 1 a 1",
        "g.obj": b"v 0 nan 0\n", "h.obj": b"v 0 0 0\nf -2 1 1\n",
    }  # fmt: skip
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CorruptDataError):
            anyzarr.convert(tmp_path / name, tmp_path / "bad.zv")
        assert not (tmp_path / "bad.zv").exists(), name


def test_points_are_no_surface(tmp_path: Path) -> None:
    write_points(tmp_path / "p.zv", [[1.0, 2.0, 3.0]])
    with pytest.raises(UnsupportedError, match="PLY"):
        anyzarr.convert(tmp_path / "p.zv", tmp_path / "p.stl")
    assert not (tmp_path / "p.stl").exists()
