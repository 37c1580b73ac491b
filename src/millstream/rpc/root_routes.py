"""The routes of the storage roots: `/roots`, and what comes after `/root/{token}/`."""

from __future__ import annotations

from millstream.rpc.route import Ask, Route, Routes
from millstream.rpc.torrent_view import Json
from millstream.storage.roots import MAX_LABEL_LENGTH, StorageRoot, StorageRootManager


def root_view(roots: StorageRootManager, root: StorageRoot) -> Json:
    """A root; `torrents` is how many are in it."""
    return {
        "token": root.token,
        "label": root.label,
        "path": root.path,
        "default": root == roots.default,
        "implicit": root.is_implicit,
        "torrents": len(roots.torrents_in(root.token)),
    }


async def _roots(ask: Ask) -> Json:
    roots = ask.control.engine.roots
    return {"roots": [root_view(roots, root) for root in roots.roots]}


async def _add(ask: Ask) -> Json:
    path = ask.fields.required(ask.fields.path, "path")
    label = ask.fields.text("label", longest=MAX_LABEL_LENGTH)
    default = ask.fields.flag("default") or False
    ask.fields.finish()
    roots = ask.control.engine.roots
    root = roots.add(path, label)
    if default:
        roots.set_default(root.token)
    return root_view(roots, root)


async def _default(ask: Ask) -> Json:
    ask.fields.finish()
    roots = ask.control.engine.roots
    roots.set_default(ask.name)
    return root_view(roots, roots.get(ask.name))


async def _relabel(ask: Ask) -> Json:
    label = ask.fields.required(lambda key: ask.fields.text(key, longest=MAX_LABEL_LENGTH), "label")
    ask.fields.finish()
    roots = ask.control.engine.roots
    return root_view(roots, roots.relabel(ask.name, label))


async def _repoint(ask: Ask) -> Json:
    path = ask.fields.required(ask.fields.path, "path")
    ask.fields.finish()
    roots = ask.control.engine.roots
    return root_view(roots, roots.repoint(ask.name, path))


async def _accept(ask: Ask) -> Json:
    ask.fields.finish()
    engine = ask.control.engine
    await engine.accept_root(ask.name)
    return root_view(engine.roots, engine.roots.get(ask.name))


async def _remove(ask: Ask) -> Json:
    ask.fields.finish()
    ask.control.engine.roots.remove(ask.name)
    return {}


ROOTS_ROUTES: Routes = {
    "/roots": (Route("GET", _roots),),
    "/roots/add": (Route("POST", _add),),
}
"""By path."""

ROOT_ROUTES: Routes = {
    "default": (Route("POST", _default),),
    "relabel": (Route("POST", _relabel),),
    "repoint": (Route("POST", _repoint),),
    "accept": (Route("POST", _accept),),
    "remove": (Route("POST", _remove),),
}
"""What comes after `/root/{token}/`."""
