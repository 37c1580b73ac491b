"""libtorrent as a fast client sets it up: the arguments and reports of `millstream_client`."""

from __future__ import annotations

import sys
import time
import warnings
from functools import partial
from pathlib import Path

import libtorrent as lt

from bench.clients.runner_link import die_with_run, report, wait_for_end

# Nothing but TCP between known peers, no encryption, no limits.
SETTINGS = {
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "out_enc_policy": 2,
    "in_enc_policy": 2,
    "connections_limit": 1000,
    "connection_speed": 10000,
    "torrent_connect_boost": 255,
    "allow_multiple_connections_per_ip": True,
    "unchoke_slots_limit": -1,
    "max_allowed_in_request_queue": 4000,
    "send_buffer_watermark": 4 << 20,
    "send_buffer_watermark_factor": 200,
    "alert_mask": lt.alert.category_t.status_notification
    | lt.alert.category_t.error_notification
    | lt.alert.category_t.connect_notification,
}
# Forced RC4 from the handshake to the end.
RC4 = SETTINGS | {
    "out_enc_policy": 0,
    "in_enc_policy": 0,
    "allowed_enc_level": 2,
    "prefer_rc4": True,
}


def parameters(torrent: str, directory: str) -> lt.add_torrent_params:
    added = lt.add_torrent_params()
    added.ti, added.save_path = lt.torrent_info(torrent), directory
    added.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    return added


def wait_for(session: lt.session, wanted: type) -> None:
    """Return at the first alert of the type; it wakes us at once, where polling would be late."""
    while True:
        session.wait_for_alert(10_000)
        alerts = session.pop_alerts()
        errors = [a for a in alerts if isinstance(a, lt.torrent_error_alert | lt.file_error_alert)]
        if errors:
            raise RuntimeError(errors[0].message())
        if any(isinstance(alert, wanted) for alert in alerts):
            return


def leech(settings: dict[str, object], torrent: str, directory: str, *ports: str) -> None:
    session = lt.session(settings)
    start = time.perf_counter()
    handle = session.add_torrent(parameters(torrent, directory))
    for port in ports:
        handle.connect_peer(("127.0.0.1", int(port)))
    # It begins to connect at its next tick, up to half a second late: reported on its own.
    wait_for(session, lt.peer_connect_alert)
    connecting = time.perf_counter()
    wait_for(session, lt.torrent_finished_alert)
    report(seconds=time.perf_counter() - start, waited=connecting - start)


def magnet(link: str, directory: str, port: str) -> None:
    pieces = lt.alert.category_t.piece_progress_notification
    session = lt.session(SETTINGS | {"alert_mask": SETTINGS["alert_mask"] | pieces})
    start = time.perf_counter()
    added = lt.parse_magnet_uri(link)
    added.save_path = directory
    added.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(added)
    handle.connect_peer(("127.0.0.1", int(port)))
    wait_for(session, lt.peer_connect_alert)
    connecting = time.perf_counter()
    wait_for(session, lt.piece_finished_alert)
    report(seconds=time.perf_counter() - start, waited=connecting - start)


def seed(settings: dict[str, object], torrent: str, directory: str) -> None:
    session = lt.session(settings)
    seeding = parameters(torrent, directory)
    # As from resume data: known to be good. `seed_mode` would hash each piece as it is first read.
    seeding.have_pieces = [True] * seeding.ti.num_pieces()
    handle = session.add_torrent(seeding)
    while not handle.status().is_seeding:
        time.sleep(0.01)
    report(port=session.listen_port())
    wait_for_end()


def recheck(torrent: str, directory: str) -> None:
    session = lt.session(SETTINGS)
    start = time.perf_counter()
    handle = session.add_torrent(parameters(torrent, directory))
    wait_for(session, lt.torrent_checked_alert)
    report(seconds=time.perf_counter() - start)
    status = handle.status()
    if status.num_pieces != status.torrent_file.num_pieces():
        raise RuntimeError(f"only {status.num_pieces} pieces are good")


def create(content: str, piece_length: str, torrent: str) -> None:
    start = time.perf_counter()
    storage = lt.file_storage()
    lt.add_files(storage, content)
    made = lt.create_torrent(storage, int(piece_length), lt.create_torrent.v1_only)
    lt.set_piece_hashes(made, str(Path(content).parent))
    encoded = lt.bencode(made.generate())
    report(seconds=time.perf_counter() - start)
    Path(torrent).write_bytes(encoded)


def main(command: str, *arguments: str) -> None:
    warnings.simplefilter("ignore")
    if not command.startswith("seed"):
        die_with_run()
    commands = {
        "leech": partial(leech, SETTINGS),
        "leech-rc4": partial(leech, RC4),
        "magnet": magnet,
        "seed": partial(seed, SETTINGS),
        "seed-rc4": partial(seed, RC4),
        "recheck": recheck,
        "create": create,
    }
    commands[command](*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
