"""Answers how this Python's ConfigParser reads files: a base64 line in, a JSON line out. Runs on 2.7 and 3."""
import base64
import io
import json
import sys

try:
    import configparser
except ImportError:
    import ConfigParser as configparser

OLD = sys.version_info[0] == 2


def parse(data):
    if OLD:
        # oxd-python's class. It knows no byte order mark; relyd drops it, so it is dropped here.
        parser = configparser.SafeConfigParser()
        parser.readfp(io.BytesIO(data[3:] if data.startswith(b"\xef\xbb\xbf") else data))
    else:
        parser = configparser.ConfigParser()
        parser.read_file(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig"))
    return parser


def value_of(parser, section, key):
    try:
        return text(parser.get(section, key))
    except configparser.InterpolationError:
        return None


def raw_value_of(parser, section, key):
    return text(parser.get(section, key, True) if OLD else parser.get(section, key, raw=True))


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def answer(data):
    try:
        parser = parse(data)
    except configparser.Error as error:
        return {"error": type(error).__name__}
    sections = {}
    for section in (["DEFAULT"] if parser.defaults() else []) + parser.sections():
        keys = parser.defaults() if section == "DEFAULT" else parser.options(section)
        sections[text(section)] = dict(
            (text(key), {"value": value_of(parser, section, key), "raw": raw_value_of(parser, section, key)})
            for key in keys
            if key != "__name__"
        )
    return {"sections": sections}


for line in iter(sys.stdin.readline, ""):
    sys.stdout.write(json.dumps(answer(base64.b64decode(line.strip())), sort_keys=True) + "\n")
    sys.stdout.flush()
