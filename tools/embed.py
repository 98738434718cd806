#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns folders of files into one assembler file and a C index, so that the program carries them.

  embed.py --root templates=web/templates --root static=web/static --plain templates --out-dir DIR [--depfile FILE]

writes DIR/assets.bin (all bytes one after the other, each file aligned to 16 and followed by a NUL), DIR/assets.S
(.incbin of it: 2 MB assemble in 15 ms, as a C array they take seconds) and DIR/assets_table.c (the index for
src/assets/assets.h, sorted by path). A path is PREFIX/relative/path. The same files give the same output, bit for bit.
Files under a --plain prefix get no gzip variant; others get one where it saves at least a tenth.
"""
import argparse
import gzip
import hashlib
import os
import pathlib
import sys

MIME = {
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".map": "application/json; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".service": "text/plain; charset=utf-8",
    ".sh": "text/x-shellscript; charset=utf-8",
    ".socket": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".xml": "application/xml; charset=utf-8",
}
SQUEEZED = {".gif", ".jpg", ".png", ".webp", ".woff2"}
EMPTY = "    {.mime = NULL},\n"  # C wants one row at least
GZIP_FROM = 200  # bytes: below that, headers cost more than gzip saves


def fail(text):
    sys.exit(f"embed.py: {text}")


def walk(folder):
    """Files of a folder by name, and every folder seen (a new file changes its folder's time)."""
    files, folders = [], []
    for top, names, leaves in os.walk(folder):
        names[:] = sorted(n for n in names if not n.startswith("."))
        folders.append(top)
        files += [os.path.join(top, n) for n in sorted(leaves) if not n.startswith(".")]
    return files, folders


def collect(roots):
    found, folders = {}, []
    for root in roots:
        prefix, _, folder = root.partition("=")
        if not folder or not os.path.isdir(folder):
            fail(f"--root {root}: a folder is wanted, as in static=web/static")
        files, seen = walk(folder)
        folders += seen
        for name in files:
            path = prefix + "/" + os.path.relpath(name, folder).replace(os.sep, "/")
            if path in found:
                fail(f"{path} comes from both {found[path]} and {name}: rename one")
            if pathlib.Path(name).suffix not in MIME:
                fail(f"{name}: no media type is known for this ending; add it to MIME in tools/embed.py")
            found[path] = name
    return dict(sorted(found.items(), key=lambda item: item[0].encode())), folders


class Blob:
    def __init__(self):
        self.data = bytearray()

    def add(self, content):
        self.data += b"\0" * (-len(self.data) % 16)
        at = len(self.data)
        self.data += content + b"\0"
        return at


def c_string(text):
    for char in text:
        if not (" " <= char <= "~") or char in '"\\':
            fail(f"{text!r}: asset names are plain ASCII")
    return f'"{text}"'


def rows(found, plain, blob):
    for path, name in found.items():
        content = pathlib.Path(name).read_bytes()
        suffix = pathlib.Path(name).suffix
        at = blob.add(content)
        squeezed = b""
        if path.split("/")[0] not in plain and suffix not in SQUEEZED and len(content) >= GZIP_FROM:
            squeezed = gzip.compress(content, 9, mtime=0)
            if len(squeezed) > len(content) * 9 // 10:
                squeezed = b""
        gz = f"{{asset_bytes + {blob.add(squeezed)}, {len(squeezed)}}}" if squeezed else "{NULL, 0}"
        etag = hashlib.sha256(content).hexdigest()
        yield (f"    {{{{{c_string(path)}, {len(path)}}},\n     {c_string(MIME[suffix])},\n     \"{etag}\",\n"
               f"     {{asset_bytes + {at}, {len(content)}}},\n     {gz}}},\n")


def write(path, content):
    """Leaves the file alone when nothing changed, so that nothing after it is rebuilt."""
    if isinstance(content, str):
        content = content.encode()
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", action="append", required=True, metavar="PREFIX=FOLDER")
    parser.add_argument("--plain", action="append", default=[], metavar="PREFIX")
    parser.add_argument("--out-dir", type=pathlib.Path, required=True)
    parser.add_argument("--depfile", type=pathlib.Path)
    args = parser.parse_args()
    found, folders = collect(args.root)
    blob = Blob()
    table = "".join(rows(found, args.plain, blob))
    out = args.out_dir.resolve()
    write(out / "assets.bin", bytes(blob.data))
    # The digest in the comment makes the assembler run again when only the bytes changed.
    write(out / "assets.S",
          f"/* made by tools/embed.py; sha256 of assets.bin: {hashlib.sha256(blob.data).hexdigest()} */\n"
          '    .section .rodata\n    .balign 16\n    .globl asset_bytes\n    .hidden asset_bytes\n'
          f'asset_bytes:\n    .incbin "{out / "assets.bin"}"\n    .byte 0\n'
          '    .size asset_bytes, . - asset_bytes\n    .type asset_bytes, @object\n'
          '    .section .note.GNU-stack,"",@progbits\n')
    write(out / "assets_table.c",
          "/* made by tools/embed.py */\n#include \"assets/assets_table.h\"\n\n"
          "__attribute__((visibility(\"hidden\"))) extern const char asset_bytes[];\n\n"
          f"const size_t asset_table_count = {len(found)};\n"
          f"const struct asset asset_table[{max(len(found), 1)}] = {{\n{table or EMPTY}}};\n")
    if args.depfile:
        needs = [os.path.abspath(p).replace(" ", "\\ ") for p in [*folders, *found.values()]]
        args.depfile.write_text(f"{args.out_dir}/assets.S: " + " ".join(needs) + "\n")


main()
