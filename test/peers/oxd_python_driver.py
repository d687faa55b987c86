"""Drives a client library of oxd's from its cfg: one call a line in, one answer a line out, both JSON. For CPython 2.7.

argv: the module, its class, the cfg. A call is {"call": "name.of.attribute", "args": [...], "kwargs": {...}}.
"""
import importlib
import json
import sys
import threading


def as_written(value):
    """Text as it stands in a website's source: bytes, which the libraries tell from unicode."""
    if isinstance(value, unicode):
        return value.encode("utf-8")
    if isinstance(value, list):
        return [as_written(one) for one in value]
    if isinstance(value, dict):
        return dict((as_written(name), as_written(one)) for name, one in value.items())
    return value


def shown(value):
    """A namedtuple as an object, which json would make a list of."""
    if hasattr(value, "_fields"):
        return dict((name, shown(getattr(value, name))) for name in value._fields)
    if isinstance(value, dict):
        return dict((name, shown(one)) for name, one in value.items())
    if isinstance(value, list):
        return [shown(one) for one in value]
    return value


def answer(client, asked):
    try:
        found = client
        for name in asked["call"].split("."):
            found = getattr(found, name)
        if callable(found):
            found = found(*asked.get("args", []), **asked.get("kwargs", {}))
        return {"result": shown(found)}
    except Exception as error:
        return {"error": {"type": type(error).__name__, "message": str(error)}}


def main():
    module, name, cfg = sys.argv[1:]
    client = getattr(importlib.import_module(module), name)(cfg)
    for line in iter(sys.stdin.readline, ""):
        sys.stdout.write(json.dumps(answer(client, as_written(json.loads(line)))) + "\n")
        sys.stdout.flush()
    # Threads that are still to renew a token would keep the process.
    for thread in threading.enumerate():
        if hasattr(thread, "cancel"):
            thread.cancel()


main()
