"""Share one torrent with libtorrent until ended: run as a program, its order is a JSON object.

Prints libtorrent's alerts. When all is there, or anything was uploaded, makes the files that the
order names `complete` and `uploaded`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import libtorrent as lt

order = json.loads(sys.argv[1])
settings = {
    "listen_interfaces": order["listen"],
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "upload_rate_limit": order["rate"],
    "download_rate_limit": order["rate"],
    "min_reconnect_time": 1,
    "alert_mask": lt.alert_category.error
    | lt.alert_category.peer
    | lt.alert_category.connect
    | lt.alert_category.status
    | lt.alert_category.tracker
    | lt.alert_category.peer_log,
}
if order["encryption"] in {"required", "obfuscated"}:
    settings["out_enc_policy"] = settings["in_enc_policy"] = int(lt.enc_policy.pe_forced)
    level = lt.enc_level.pe_rc4 if order["encryption"] == "required" else lt.enc_level.pe_plaintext
    settings["allowed_enc_level"] = int(level)
if order["encryption"] == "disabled":
    settings["out_enc_policy"] = settings["in_enc_policy"] = int(lt.enc_policy.pe_disabled)

session = lt.session(settings) if order["plugins"] else lt.session(settings, flags=0)
# Its limits hold for the global class, in which peers on the local network are not.
everybody = lt.ip_filter()
everybody.add_rule("0.0.0.1", "255.255.255.255", 1 << lt.session.global_peer_class_id)
session.set_peer_class_filter(everybody)
source = order["source"]
params = (
    lt.parse_magnet_uri(source) if source.startswith("magnet:") else lt.load_torrent_file(source)
)
params.save_path = order["directory"]
params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
params.peers = [(peer.split(":")[0], int(peer.split(":")[1])) for peer in order["peers"]]
torrent = session.add_torrent(params)
# Of a peer's log, what is sent and got, but for the mass of it.
NOISE = re.compile(
    r"peer_log.* (>>>|<<<|\*\*\*) [A-Z_]+ \[|(==>|<==) (PIECE|REQUEST|HAVE|CANCEL) |CORKED"
)
while True:
    for alert in session.pop_alerts():
        line = f"{time.monotonic():.3f} {alert.what()}: {alert.message()}\n"
        if not NOISE.search(line):
            sys.stdout.write(line)
    sys.stdout.flush()
    status = torrent.status()
    if status.is_seeding:
        Path(order["complete"]).touch()
    if status.total_payload_upload:
        Path(order["uploaded"]).touch()
    time.sleep(0.05)
