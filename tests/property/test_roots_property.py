"""Roots: whatever a session store holds is a record, and any calls leave the manager consistent."""

import random
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import ConfigError, EngineError
from millstream.protocol import bencode
from millstream.protocol.infohash import InfoHash
from millstream.storage.roots import StorageRoot, StorageRootManager
from millstream.storage.roots_record import RootsRecord

names = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)
paths = st.sampled_from(["/", "/a", "/a/b", "/\udcff", "/ü", "relative"])
bencoded = st.recursive(
    st.integers(-(10**18), 10**18) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=9), inner),
    max_leaves=12,
)
entries = st.fixed_dictionaries(
    {},
    optional={
        key: st.just(b"1") | st.binary(max_size=30) | bencoded
        for key in (b"token", b"label", b"path", b"implicit", b"identity", b"more")
    },
)
records = st.fixed_dictionaries(
    {b"version": st.just(1) | bencoded, b"roots": st.lists(entries, max_size=5) | bencoded},
    optional={b"default": st.just(b"1") | bencoded, b"more": bencoded},
)


@given(st.binary(max_size=200) | records.map(bencode.encode))
def test_any_bytes_are_a_record_that_comes_back(data):
    record = RootsRecord.decode(data)
    assert RootsRecord.decode(record.encode()) == record
    manager = StorageRootManager(random.Random(1))
    record.restore(manager)
    assert record.updated(manager) == record


@given(
    st.lists(st.tuples(names, names, paths, st.booleans()), max_size=6, unique_by=(lambda r: r[0])),
    st.data(),
)
def test_a_record_comes_back(entries, data):
    roots = {path: StorageRoot(token, label, path, made) for token, label, path, made in entries}
    tokens = [root.token for root in roots.values()]
    record = RootsRecord(
        roots=tuple(roots.values()),
        default=data.draw(st.none() | st.sampled_from(tokens)) if tokens else None,
        identities={token: data.draw(names) for token in tokens if data.draw(st.booleans())},
        unknown={b"later": data.draw(bencoded)},
    )
    assert RootsRecord.decode(record.encode()) == record


TORRENTS = [InfoHash(bytes([n]) * 20) for n in range(3)]
calls = st.lists(
    st.tuples(
        st.sampled_from(
            ["add", "for_path", "remove", "set_default", "relabel", "repoint", "assign",
             "unassign", "set_identity", "drop_unused"]
        ),
        paths,
        st.integers(0, 5),
        st.sampled_from(TORRENTS),
    ),
    max_size=30,
)  # fmt: skip


@given(calls)
def test_any_calls_leave_it_consistent(steps):
    roots = StorageRootManager(random.Random(3))
    for name, path, number, torrent in steps:
        tokens = [root.token for root in roots.roots] or ["none"]
        token = tokens[number % len(tokens)]
        arguments = {
            "add": (path,),
            "for_path": (path,),
            "repoint": (token, path),
            "relabel": (token, "label"),
            "assign": (torrent, token),
            "unassign": (torrent,),
            "set_identity": (token, "1:1"),
            "drop_unused": (),
        }.get(name, (token,))
        with suppress(ConfigError, EngineError):
            getattr(roots, name)(*arguments)
        there = roots.roots
        assert len({root.path for root in there}) == len({root.token for root in there})
        assert all(roots.for_path(root.path) is root for root in there)
        assert set(roots.identities) <= {root.token for root in there}
        for each in TORRENTS:
            root = roots.root_of(each)
            assert root is None or (root in there and each in roots.torrents_in(root.token))
        assert roots.in_use == [roots.get(t) for t in roots._torrents]
        assert sum(len(roots.torrents_in(root.token)) for root in there) == len(roots._root_of)
        assert RootsRecord.decode(RootsRecord().updated(roots).encode()).roots == tuple(there)
