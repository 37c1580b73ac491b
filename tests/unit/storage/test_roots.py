import random
from pathlib import PurePosixPath

import pytest

from millstream.errors import ConfigError, EngineError, MalformedDataError
from millstream.protocol.infohash import InfoHash
from millstream.storage.roots import MAX_LABEL_LENGTH, StorageRoot, StorageRootManager

A = InfoHash(b"a" * 20)
B = InfoHash(b"b" * 20)


class Manager(StorageRootManager):
    """Counts its changes."""

    __slots__ = ("changes",)

    def __init__(self, seed=1, **options):
        super().__init__(random.Random(seed), **options)
        self.changes = 0
        self.changed = self.count

    def count(self):
        self.changes += 1


@pytest.fixture
def roots():
    return Manager()


class TestRoots:
    def test_a_root_has_a_token_a_label_and_a_path(self, roots):
        root = roots.add("/mnt/usb")
        assert (root.label, root.path, root.is_implicit) == ("usb", "/mnt/usb", False)
        assert len(root.token) == 16
        assert int(root.token, 16) >= 0
        assert roots.get(root.token) is roots.find(root.token) is root
        assert roots.roots == [root]

    def test_tokens_and_labels_may_be_given(self, roots):
        assert roots.add("/x", "Films", "daemon-7") == StorageRoot("daemon-7", "Films", "/x")
        assert roots.add(PurePosixPath("/y")).path == "/y"

    @pytest.mark.parametrize(
        ("path", "label"),
        [
            ("/", "/"),
            ("/a/b/", "b"),
            ("C:\\Users\\me", "me"),
            ("/a/\udcff\n", "??"),
            ("/" + "x" * 300, "x" * MAX_LABEL_LENGTH),
        ],
    )
    def test_the_label_comes_from_the_path(self, roots, path, label):
        assert roots.add(path).label == label

    def test_one_directory_is_one_root(self):
        roots = Manager(resolve=lambda path: path.rstrip("/"))
        first = roots.add("/x/")
        assert roots.add("/x") is first
        assert roots.changes == 1
        again = roots.add("/x", "Films")
        assert (again.token, again.label) == (first.token, "Films")
        assert roots.add("/x").label == "Films"
        assert roots.roots == [again]

    def test_two_directories_are_two_roots(self, roots):
        roots.add("/x", None, "t")
        with pytest.raises(ConfigError, match="'t' is /x already"):
            roots.add("/y", None, "t")
        with pytest.raises(ConfigError, match="/x is the storage root 'x' already"):
            roots.add("/x", None, "u")
        assert len(roots.roots) == 1

    def test_the_same_seed_draws_no_token_twice(self):
        before = Manager(7).add("/x")
        assert Manager(7).add("/x") == before
        assert Manager(7).add("/y").token != before.token
        roots = Manager(7)
        roots.restore([StorageRoot(before.token, "x", "/moved")], None, {})
        assert roots.add("/x").token != before.token

    @pytest.mark.parametrize(
        ("label", "token"),
        [
            ("", "t"),
            ("l" * 256, "t"),
            ("a\nb", "t"),
            ("l", "t" * 129),
            ("l", "a\0"),
            ("\ud800", "t"),
        ],
    )
    def test_unfit_names_are_refused(self, label, token):
        with pytest.raises(ConfigError, match="a storage root's"):
            StorageRoot(token, label, "/x")

    @pytest.mark.parametrize("path", ["", "/a\0b", "x" * 40_000, "/\ud800"])
    def test_unfit_paths_are_refused(self, path):
        with pytest.raises(ConfigError, match="a storage root's path"):
            StorageRoot("t", "l", path)

    def test_an_unknown_token_is_named(self, roots):
        for call in (roots.get, roots.remove, roots.set_default):
            with pytest.raises(ConfigError, match="no storage root 'nope'"):
                call("nope")
        with pytest.raises(ConfigError, match="no storage root 'nope'"):
            roots.assign(A, "nope")
        assert roots.find("nope") is None
        assert roots.find(None) is None
        assert roots.changes == 0

    def test_the_default(self, roots):
        assert roots.default is None
        first, second = roots.add("/x"), roots.add("/y")
        roots.set_default(second.token)
        changes = roots.changes
        roots.set_default(second.token)
        assert (roots.default, roots.changes) == (second, changes)
        roots.remove(second.token)
        assert roots.default is None
        assert roots.roots == [first]

    def test_relabelling(self, roots):
        root = roots.add("/x")
        assert roots.relabel(root.token, "Films") == StorageRoot(root.token, "Films", "/x")
        assert roots.get(root.token).label == "Films"
        with pytest.raises(ConfigError):
            roots.relabel(root.token, "")
        assert roots.get(root.token).label == "Films"


class TestImplicitRoots:
    def test_a_path_has_its_root_or_gets_one(self, roots):
        known = roots.add("/x")
        assert roots.for_path("/x") is known
        made = roots.for_path("/y")
        assert made.is_implicit
        assert roots.for_path("/y") is made

    def test_it_goes_with_its_last_torrent(self, roots):
        made = roots.for_path("/y")
        roots.assign(A, made.token)
        roots.assign(B, made.token)
        roots.unassign(A)
        assert roots.roots == [made]
        roots.unassign(B)
        assert roots.roots == []
        assert roots.for_path("/y").token != made.token

    @pytest.mark.parametrize("keep", ["add", "relabel", "repoint", "set_default"])
    def test_it_stays_once_somebody_cares(self, roots, keep):
        token = roots.for_path("/y").token
        roots.assign(A, token)
        arguments = {"add": ("/y",), "relabel": (token, "Y"), "repoint": (token, "/z")}
        getattr(roots, keep)(*arguments.get(keep, (token,)))
        roots.unassign(A)
        roots.drop_unused()
        assert [root.token for root in roots.roots] == [token]

    def test_unused_ones_are_dropped(self, roots):
        used, _, named = roots.for_path("/used"), roots.for_path("/unused"), roots.add("/named")
        roots.assign(A, used.token)
        roots.drop_unused()
        assert roots.roots == [used, named]
        changes = roots.changes
        roots.drop_unused()
        assert roots.changes == changes


class TestRepointing:
    def test_token_label_and_torrents_stay(self, roots):
        root = roots.add("/mnt/usb", "USB")
        roots.assign(A, root.token)
        roots.set_identity(root.token, "1:2")
        moved = roots.repoint(root.token, "/media/usb")
        assert moved == StorageRoot(root.token, "USB", "/media/usb")
        assert roots.root_of(A) == moved
        assert roots.identities == {}
        assert roots.for_path("/mnt/usb") != moved
        assert roots.for_path("/media/usb") is moved

    def test_the_same_path_changes_nothing(self, roots):
        root = roots.add("/x")
        roots.set_identity(root.token, "1:2")
        changes = roots.changes
        assert roots.repoint(root.token, "/x") is root
        assert (roots.identities, roots.changes) == ({root.token: "1:2"}, changes)

    def test_not_to_where_another_root_is(self, roots):
        root, other = roots.add("/x"), roots.add("/y", "Other")
        with pytest.raises(ConfigError, match="/y is the storage root 'Other' already"):
            roots.repoint(root.token, "/y")
        used = roots.for_path("/z")
        roots.assign(A, used.token)
        with pytest.raises(ConfigError, match="/z is"):
            roots.repoint(root.token, "/z")
        roots.unassign(A)
        assert roots.repoint(root.token, "/z").path == "/z"
        assert [each.path for each in roots.roots] == ["/z", other.path]

    def test_an_implicit_root_that_nothing_uses_makes_way(self, roots):
        root, way = roots.add("/x"), roots.for_path("/z")
        roots.repoint(root.token, "/z")
        assert roots.find(way.token) is None
        assert roots.for_path("/z").token == root.token


class TestTorrents:
    def test_a_torrent_is_in_one_root(self, roots):
        x, y = roots.add("/x"), roots.add("/y")
        assert roots.root_of(A) is None
        assert roots.assign(A, x.token) is x
        roots.assign(B, x.token)
        assert roots.assign(A, y.token) is y
        assert (roots.root_of(A), roots.root_of(B)) == (y, x)
        assert (roots.torrents_in(x.token), roots.torrents_in(y.token)) == ([B], [A])
        assert roots.in_use == [x, y]
        roots.unassign(B)
        roots.unassign(B)
        assert roots.in_use == [y]

    def test_infohashes_come_in_any_shape(self, roots):
        root = roots.add("/x")
        roots.assign(str(A).upper(), root.token)
        assert roots.root_of(A) is roots.root_of(str(A)) is root
        assert roots.torrents_in(root.token) == [A]
        roots.unassign(str(A).upper())
        assert roots.root_of(A) is None
        with pytest.raises(MalformedDataError):
            roots.root_of("abc")

    def test_a_root_with_torrents_stays(self, roots):
        root = roots.add("/x", "Films")
        roots.assign(A, root.token)
        with pytest.raises(EngineError, match="'Films' stays: a torrent is in it"):
            roots.remove(root.token)
        roots.assign(B, root.token)
        with pytest.raises(EngineError, match="2 torrents are in it"):
            roots.remove(root.token)
        roots.unassign(A)
        roots.unassign(B)
        roots.remove(root.token)
        assert roots.roots == []

    def test_moving_away_drops_an_implicit_root(self, roots):
        made, other = roots.for_path("/x"), roots.add("/y")
        roots.assign(A, made.token)
        roots.assign(A, made.token)
        assert roots.find(made.token)
        roots.assign(A, other.token)
        assert roots.find(made.token) is None


class TestIdentities:
    def test_they_are_remembered_and_forgotten(self, roots):
        root = roots.add("/x")
        changes = roots.changes
        roots.set_identity(root.token, "1:2")
        roots.set_identity(root.token, "1:2")
        assert roots.identities == {root.token: "1:2"}
        assert roots.changes == changes + 1
        roots.set_identity(root.token, None)
        roots.set_identity(root.token, None)
        roots.set_identity("nope", "1:2")
        assert roots.identities == {}
        assert roots.changes == changes + 2

    def test_they_go_with_their_root(self, roots):
        root = roots.add("/x")
        roots.set_identity(root.token, "1:2")
        roots.remove(root.token)
        assert roots.identities == {}


class TestRestoring:
    def test_the_roots_come_back(self, roots):
        old = [StorageRoot("1", "a", "/a"), StorageRoot("2", "b", "/b", is_implicit=True)]
        roots.restore(old, "1", {"1": "7:7", "9": "8:8"})
        assert roots.roots == old
        assert roots.default == old[0]
        assert roots.identities == {"1": "7:7"}
        assert roots.for_path("/b") == old[1]
        assert roots.changes == 0

    def test_what_is_there_already_stays(self, roots):
        here = roots.add("/a", "here", "1")
        roots.set_default("1")
        roots.restore(
            [StorageRoot("1", "x", "/x"), StorageRoot("2", "x", "/a"), StorageRoot("3", "c", "/c")],
            "3",
            {"1": "7:7"},
        )
        assert [root.token for root in roots.roots] == ["1", "3"]
        assert (roots.default, roots.identities) == (here, {})

    def test_a_default_that_is_unknown_is_none(self, roots):
        roots.restore([], "1", {})
        assert roots.default is None


def test_a_root_is_chosen_by_token_path_or_default():
    roots = StorageRootManager(random.Random(1))
    assert roots.choose(None, None, "/else").path == "/else"
    one = roots.add("/one")
    roots.set_default(one.token)
    assert roots.choose(None, None, "/else") == one
    assert roots.choose(one.token, "/two", "/else") == one
    assert roots.choose(None, "/two", "/else").path == "/two"
    with pytest.raises(ConfigError, match="no storage root"):
        roots.choose("unknown", None, "/else")
