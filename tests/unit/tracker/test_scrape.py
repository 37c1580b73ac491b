from __future__ import annotations

import pytest

from millstream.errors import LocalProtocolError, TrackerError
from millstream.protocol.bencode import encode
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import ScrapeEntry
from millstream.tracker.scrape import MAX_HTTP_SCRAPE, parse_scrape, scrape_base, scrape_url

FIRST, SECOND = InfoHash(b"x" * 20), InfoHash(b"y" * 20)


@pytest.mark.parametrize(
    ("announce", "scrape"),
    [
        ("http://t/announce", "http://t/scrape?p"),
        ("http://t/x/announce", "http://t/x/scrape?p"),
        ("http://t/announce.php", "http://t/scrape.php?p"),
        ("http://t/announce?x2%0644", "http://t/scrape?x2%0644&p"),
        ("http://t/announce?x=2/4", "http://t/scrape?x=2/4&p"),
        ("http://t/announce/announce", "http://t/announce/scrape?p"),
    ],
)
def test_where(announce, scrape):
    assert scrape_base(announce).with_parameters("p") == scrape


@pytest.mark.parametrize(
    "announce", ["http://t/a", "http://t", "http://t/x?announce", "http://t/announce/x", "x"]
)
def test_nowhere(announce):
    with pytest.raises(TrackerError):
        scrape_url(announce, [FIRST])


def test_what_is_asked_as_in_bep_48():
    assert scrape_url("http://tracker/announce", [FIRST, SECOND]) == (
        "http://tracker/scrape?info_hash=xxxxxxxxxxxxxxxxxxxx&info_hash=yyyyyyyyyyyyyyyyyyyy"
    )
    for number in (0, MAX_HTTP_SCRAPE + 1):
        with pytest.raises(LocalProtocolError):
            scrape_url("http://tracker/announce", [FIRST] * number)


def test_the_answer_of_bep_48():
    body = (
        b"d5:filesd20:xxxxxxxxxxxxxxxxxxxxd8:completei11e10:downloadedi13772e10:incompletei19ee"
        b"20:yyyyyyyyyyyyyyyyyyyyd8:completei21e10:downloadedi206e10:incompletei20eeee"
    )
    assert parse_scrape(body, [FIRST, SECOND]) == {
        FIRST: ScrapeEntry(11, 13772, 19),
        SECOND: ScrapeEntry(21, 206, 20),
    }
    assert list(parse_scrape(body, [SECOND])) == [SECOND]


def test_odd_entries():
    body = encode({b"files": {bytes(FIRST): {b"complete": -1, b"downloaded": b"x"}, b"short": {}}})
    assert parse_scrape(body, [FIRST]) == {FIRST: ScrapeEntry(0, 0, 0)}
    assert parse_scrape(encode({b"files": {bytes(FIRST): 5}}), [FIRST]) == {}


@pytest.mark.parametrize("body", [b"de", b"d5:filesle", b"d5:filesi5ee", b"", b"<html>"])
def test_no_answer(body):
    with pytest.raises(TrackerError):
        parse_scrape(body, [FIRST])


def test_a_refusal():
    with pytest.raises(TrackerError, match="refused: full scrapes only"):
        parse_scrape(encode({b"failure reason": b"full scrapes only"}), [FIRST], 400)
