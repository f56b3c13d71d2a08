"""Symbolic links: none may lead out of the project, and trees of links inside a named root are read."""

from __future__ import annotations

import ntpath
import os
from types import SimpleNamespace

import pytest

from conftest import SUPPORT, suite
from pytest_dust.files import links

SECRET = "hunter2-is-private"
HOSTILE = {
    "lines.csv": f"question\n{SECRET}\n",
    "lines.jsonl": f'{{"question": "{SECRET}"}}\n{SECRET}\n',
    "schema.json": f'{{"type": "{SECRET}"}}',
    "plain.txt": f"{SECRET}: [\n",
}
TABLE = "cases:\n  - id: ask\n    dataset: {}\n    input: {{question: '${{row.question}}'}}\n"
BOTH = TABLE.format("q.csv") + "    expect: {result: {schema: s.json}}\n"
SCHEMA = "input: {{question: Hi}}\nexpect: {{result: {{schema: '{}'}}}}\n"


@pytest.fixture
def outside(tmp_path_factory):
    """A folder beside the project with files that no report may show."""
    folder = tmp_path_factory.mktemp("outside")
    for name, text in HOSTILE.items():
        (folder / name).write_text(text)
    return folder


def linked(example, **targets):
    """The project on disk with symbolic links, given as names with their targets."""
    example.write()
    for name, target in targets.items():
        path = example.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return example


def run(example, *args, cwd="."):
    """Give pytest's output for the project as it is on disk, with its links."""
    with example.monkeypatch.context() as patch:
        patch.chdir(example.root / cwd)
        for name, value in example.environ.items():
            patch.setenv(name, value)
        done = example.pytester.runpytest_inprocess("-p", "no:cacheprovider", *args)
    return done, done.stdout.str() + done.stderr.str()


def assert_refused(out, target):
    """Check that the output names the target of the link, and shows nothing of its content."""
    assert f"a symbolic link leads out of the project, to {os.path.realpath(target)}; " in out
    assert "--rootdir=FOLDER" in out
    for word in (SECRET, "INTERNALERROR", "Traceback"):
        assert word not in out


@pytest.mark.parametrize("options", [(), ("--dust-check",), ("-vv", "--full-trace")], ids=str)
@pytest.mark.parametrize("name", ["lines.csv", "lines.jsonl"])
def test_a_dataset_behind_a_link_is_refused(project, server, outside, name, options):
    """A dataset that a link leads out of the project is not read; the message names its target."""
    text = suite(server, SUPPORT, TABLE.format(name))
    example = linked(project.having({"a.dust.yaml": text}), **{name: outside / name})
    done, out = run(example, *options)
    assert f"a.dust.yaml:5:14: cannot read dataset {name} beside the suite: " in out
    assert_refused(out, outside / name)
    assert done.ret != 0


def test_a_dataset_in_a_linked_folder_is_refused(project, server, outside):
    """A folder that is a link is treated like a file that is one."""
    text = suite(server, SUPPORT, TABLE.format("data/lines.csv"))
    example = linked(project.having({"a.dust.yaml": text}), data=outside)
    assert_refused(run(example)[1], outside / "lines.csv")


def test_a_chain_of_links_is_followed_to_its_end(project, server, outside):
    """A link to a link inside the project that leads out is refused."""
    text = suite(server, SUPPORT, TABLE.format("one.csv"))
    example = linked(
        project.having({"a.dust.yaml": text}), two=outside / "lines.csv", **{"one.csv": project.root / "two"}
    )
    assert_refused(run(example)[1], outside / "lines.csv")


def test_a_schema_behind_a_link_is_refused(project, server, outside):
    """A schema file that a link leads out of the project is not read."""
    text = suite(server, SUPPORT, SCHEMA.format("schema.json"))
    example = linked(project.having({"a.dust.yaml": text}), **{"schema.json": outside / "schema.json"})
    assert_refused(run(example)[1], outside / "schema.json")


@pytest.mark.parametrize("form", ["{up}/outside/schema.json", "{absolute}"])
def test_a_schema_named_outside_is_refused(project, server, tmp_path_factory, form):
    """A schema name that is absolute or has `..` is refused if it leads out of the project."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "schema.json").write_text(HOSTILE["schema.json"])
    up = os.path.relpath(folder.parent, project.root)
    name = form.format(up=up, absolute=folder / "schema.json").replace("outside", folder.name)
    text = suite(server, SUPPORT, SCHEMA.format(name))
    _, out = run(linked(project.having({"a.dust.yaml": text})))
    assert f"its name leads out of the project, to {folder / 'schema.json'}; " in out
    assert SECRET not in out


@pytest.mark.parametrize("target", ["plain.txt", "lines.csv"])
@pytest.mark.parametrize("argument", ["", "stolen.dust.yaml"], ids=["whole", "named"])
def test_a_suite_behind_a_link_is_refused(project, outside, target, argument):
    """A suite that a link leads out of the project shows none of its lines, and other suites run."""
    example = linked(project, **{"stolen.dust.yaml": outside / target})
    done, out = run(example, *filter(None, [argument]))
    assert "stolen.dust.yaml:1:1: cannot be read: " in out
    assert_refused(out, outside / target)
    assert done.ret != 0


def test_links_inside_the_project_are_followed(project, server):
    """A dataset, a schema and a suite may be links to other files of the project."""
    files = {
        "common/q.csv": "question\nWhere is my refund?\n",
        "common/s.json": '{"type": "object"}',
        "common/text": suite(server, SUPPORT, BOTH),
    }
    example = linked(
        project.having(files).using(server),
        **{
            "apps/a.dust.yaml": "../common/text",
            "apps/q.csv": project.root / "common/q.csv",
            "apps/s.json": "../common/s.json",
        },
    )
    done, out = run(example, "--dust-mode=record")
    assert done.parseoutcomes() == {"passed": 1}, out


def test_a_schema_may_be_above_its_suite(project, server):
    """A schema may be anywhere in the project."""
    text = suite(server, SUPPORT, SCHEMA.format("../../schemas/s.json"))
    files = {"apps/one/a.dust.yaml": text, "schemas/s.json": '{"type": "object"}'}
    assert project.having(files).using(server).run("--dust-mode=record").outcomes == {"passed": 1}


FOREST = {
    "pkg/a.dust.yaml": "",
    "pkg/q.csv": "question\nWhere is my refund?\n",
    "pkg/s.json": '{"type": "object"}',
}


@pytest.fixture
def forest(project, server, tmp_path_factory):
    """A recorded project, and a tree of folders whose files are links to it, as Bazel makes it."""
    text = suite(server, SUPPORT, BOTH)
    recorded = project.having({**FOREST, "pkg/a.dust.yaml": text}).using(server).run("--dust-mode=record")
    assert recorded.outcomes == {"passed": 1}
    tree = tmp_path_factory.mktemp("runfiles")
    for name in recorded.example.files:
        if name.startswith("pkg/"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).symlink_to(recorded.example.root / name)
    server.requests.clear()
    return recorded.example.offline(), tree


def test_a_tree_of_links_is_replayed_inside_a_named_root(forest, server):
    """If `--rootdir` names a folder with both links and targets, suites and cassettes are read."""
    example, tree = forest
    done, out = run(example, f"--rootdir={tree.parent}", str(tree / "pkg"), cwd=tree)
    assert done.parseoutcomes() == {"passed": 1}, out
    assert server.requests == []


def test_a_tree_of_links_is_refused_without_a_root(forest):
    """Without a named root, each link of the tree that leads out of it is refused."""
    example, tree = forest
    (tree / "pytest.ini").write_text("[pytest]\n")
    done, out = run(example, cwd=tree)
    assert done.parseoutcomes() == {"errors": 1}, out
    assert "a symbolic link leads out of the project" in out


@pytest.mark.parametrize("mode", ["record", "rerecord"])
def test_no_recording_is_written_through_a_link(forest, server, mode):
    """A cassette that is a link is read inside a named root, but never written there."""
    example, tree = forest
    before = example.left().files
    (tree / "pkg" / "q.csv").unlink()
    (tree / "pkg" / "q.csv").write_text("question\nTrack my parcel\n")
    done, out = run(
        example.using(server), f"--rootdir={tree.parent}", f"--dust-mode={mode}", str(tree), cwd=tree
    )
    assert done.parseoutcomes() == {"failed": 1}
    assert "leads by a symbolic link out of its folder" in out
    assert example.left().files == before


def test_only_the_cassettes_may_be_links(forest):
    """A cassette may be the only link into the named root."""
    example, _ = forest
    (cassette,) = example.cassettes
    moved = example.having({cassette: None, "store/kept.json": example.cassettes[cassette]})
    done, out = run(linked(moved, **{cassette: moved.root / "store/kept.json"}))
    assert done.parseoutcomes() == {"passed": 1}, out


@pytest.mark.parametrize("name", ["q.csv", "s.json"])
def test_a_pipe_in_a_files_place_hangs_nobody(project, server, name):
    """A named pipe in place of a dataset or schema is refused without being opened."""
    text = suite(server, SUPPORT, BOTH)
    files = {**FOREST, "pkg/a.dust.yaml": text}
    example = project.having({path: text for path, text in files.items() if path != f"pkg/{name}"})
    example.write()
    (example.root / "pkg").mkdir(exist_ok=True)
    os.mkfifo(example.root / "pkg" / name)
    done, out = run(example, "pkg/a.dust.yaml")
    assert done.ret != 0
    assert "it is no regular file" in out


def test_a_suite_outside_of_the_rootdir_reads_its_own_folder(project, server, tmp_path_factory):
    """A suite outside of the rootdir may read datasets in its own folder."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "a.dust.yaml").write_text(suite(server, SUPPORT, TABLE.format("q.csv")))
    (folder / "q.csv").write_text(FOREST["pkg/q.csv"])
    done, out = run(
        linked(project.using(server)), "--rootdir=.", "--dust-mode=live", str(folder / "a.dust.yaml")
    )
    assert done.parseoutcomes() == {"passed": 1}, out


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [
        ("/a/b", "/a", True),
        ("/ab", "/a", False),
        ("/a", "/a", False),
        ("/a/b", "/", True),
        ("/b", "/a/..", False),
    ],
)
def test_what_is_inside(path, folder, inside):
    """A path is inside a folder if it continues after the folder's whole name."""
    assert links.is_inside(path, folder) is inside


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [
        (r"C:\work\a.json", r"C:\work", True),
        (r"c:\Work\A.json", r"C:\work", True),
        (r"C:\work2\a.json", r"C:\work", False),
        (r"C:\work", r"C:\work", False),
        (r"C:\a.json", "C:\\", True),
        (r"D:\work\a.json", r"C:\work", False),
        (r"\\server\share\a.json", r"\\server\share", True),
        (r"\\server\share2\a.json", r"\\server\share", False),
    ],
)
def test_a_path_of_windows_is_inside_of_its_folder(monkeypatch, path, folder, inside):
    """On Windows, capitals and drives count as its file system takes them."""
    monkeypatch.setattr(links, "os", SimpleNamespace(path=ntpath, sep=ntpath.sep))
    assert links.is_inside(path, folder) is inside
