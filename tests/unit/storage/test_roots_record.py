import random

import pytest

from millstream.protocol import bencode
from millstream.storage.roots import StorageRoot, StorageRootManager
from millstream.storage.roots_record import MAX_IDENTITY_LENGTH, RootsRecord

RECORD = RootsRecord(
    roots=(
        StorageRoot("1", "Films", "/mnt/f"),
        StorageRoot("2", "ü", "/\udcff", is_implicit=True),
    ),
    default="1",
    identities={"2": "8:1"},
    unknown={b"later": 1},
    unknown_of={"1": {b"quota": b"x"}},
)


def entry(**changes):
    return {b"token": b"1", b"label": b"l", b"path": b"/p"} | {
        key.encode(): value for key, value in changes.items()
    }


def decode(*entries, **said):
    more = {key.encode(): value for key, value in said.items()}
    return RootsRecord.decode(bencode.encode({b"version": 1, b"roots": list(entries), **more}))


def test_a_record_comes_back():
    assert RootsRecord.decode(RECORD.encode()) == RECORD
    assert RootsRecord.decode(RootsRecord().encode()) == RootsRecord()


@pytest.mark.parametrize(
    "data",
    [None, b"", b"x", b"i1e", b"de", bencode.encode({b"version": 2, b"roots": [entry()]}),
     bencode.encode({b"version": 1, b"roots": b"x"})],
)  # fmt: skip
def test_what_is_none_has_none(data):
    assert RootsRecord.decode(data) == RootsRecord()


@pytest.mark.parametrize(
    "bad",
    [7, {}, entry(token=1), entry(label=b""), entry(path=b""), entry(path=b"/\0"),
     entry(label=b"a\nb"), entry(token=b"t" * 129)],
)  # fmt: skip
def test_a_root_that_cannot_be_read_is_left_out(bad):
    good = entry(token=b"2", path=b"/q")
    assert decode(bad, good).roots == (StorageRoot("2", "l", "/q"),)


def test_no_two_have_one_token_or_one_path():
    found = decode(entry(), entry(path=b"/q"), entry(token=b"2"), entry(token=b"3", path=b"/r"))
    assert [root.token for root in found.roots] == ["1", "3"]


def test_a_default_that_is_not_there_is_none():
    assert decode(entry(), default=b"2").default is None
    assert decode(entry(), default=7).default is None


@pytest.mark.parametrize("identity", [7, b"", b"x" * (MAX_IDENTITY_LENGTH + 1)])
def test_an_unfit_identity_is_none(identity):
    found = decode(entry(identity=identity))
    assert (len(found.roots), found.identities) == (1, {})


def test_it_goes_into_a_manager_and_out_again():
    manager = StorageRootManager(random.Random(1))
    RECORD.restore(manager)
    assert RECORD.updated(manager) == RECORD
    manager.remove("1")
    added = manager.add("/new")
    manager.set_default(added.token)
    manager.set_identity("2", None)
    assert RECORD.updated(manager) == RootsRecord(
        roots=(RECORD.roots[1], added), default=added.token, unknown={b"later": 1}
    )
