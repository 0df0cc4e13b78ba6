"""Makes libraries to link with in place of the base's own, so that what is linked runs on an older glibc.

stubs.py GLIBC FOLDER CC: reads the libraries that the compiler CC links with, and writes into FOLDER, where libcompat.a and
facets.o are already,

- for each an empty library of the same name, which has every symbol whose version is not newer than the cap that caps.txt
  gives for GLIBC. The newest of these is the one that is linked.
- a linker script for each `-lNAME`. That of libstdc++ takes from libstdc++.a what only newer ones have. That of libc ends
  the link with an error for a symbol that only a newer glibc has.

Names that have moved to libc since are in the library that they came from (layout.txt).
"""

import re
import struct
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBC = "libc.so.6"
LOADER = "ld-linux-x86-64.so.2"
OTHERS = ("libanl.so.1", "libdl.so.2", "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libutil.so.1")
GLIBC = (LIBC, LOADER, "libm.so.6", "libmvec.so.1", *OTHERS)
LIBRARIES = (*GLIBC, "libstdc++.so.6", "libgcc_s.so.1")
# What start.c has in its place, which calls this one by its version.
START = "__libc_start_main"
# Of the ELF format.
ELF = b"\x7fELF"
SYMTAB, LOCAL, GLOBAL = 2, 0, 1


@dataclass(frozen=True)
class Symbol:
    """A symbol that a library has. Those with one `place` are one thing with several names."""

    name: str
    version: str
    kind: str
    binding: str
    size: int
    place: str


def read_caps(text, glibc):
    """The newest version of each family for this glibc: {"GLIBC": (2, 17), ...}. Raises KeyError for another."""
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line and line[0] != "#"}
    return dict(zip(("GLIBC", "GLIBCXX", "CXXABI", "GCC"), map(_numbers, rows[glibc])))


def read_layout(text):
    """The library that each name was in before it moved to libc."""
    library, layout = "", {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        words = line.split()
        if line[:1] != " ":
            library, *words = words
        layout.update(dict.fromkeys(words, library))
    return layout


def read_symbols(text):
    """The symbols of a library, from the output of `readelf --wide --dyn-syms`."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) != 8 or not words[0][:-1].isdigit() or words[6] == "UND":
            continue
        name, _, version = words[7].replace("@@", "@").partition("@")
        if version and name != version:
            found.append(
                Symbol(name, version, words[3], words[4], int(words[2], 0), f"{words[6]} {words[1]}")
            )
    return found


def older(version, caps):
    """Whether a library of the cap's age has this version."""
    family, _, number = version.partition("_")
    return bool(re.fullmatch(r"\d+(\.\d+)+", number)) and family in caps and _numbers(number) <= caps[family]


def arrange(libraries, caps, layout):
    """The symbols of each stub, and the names of glibc that are too new for all of them with the version of each."""
    stubs = {library: [] for library in libraries}
    new = {}
    for library, symbols in libraries.items():
        for symbol in symbols:
            if older(symbol.version, caps):
                place = layout.get(symbol.name, library) if library == LIBC else library
                stubs[place].append(symbol)
            elif library in GLIBC and not symbol.version.endswith("_PRIVATE"):
                new.setdefault(symbol.name, symbol.version)
    there = {symbol.name for symbols in stubs.values() for symbol in symbols}
    return stubs, {name: version for name, version in sorted(new.items()) if name not in there}


def assembler(symbols):
    """The source of a stub. Of a name's versions the newest is the one that is linked."""
    newest = {}
    for symbol in sorted(symbols, key=lambda each: _numbers(each.version.partition("_")[2])):
        newest[symbol.name] = symbol.version
    groups = defaultdict(list)
    for symbol in sorted(set(symbols), key=lambda each: (each.kind, each.place, each.name, each.version)):
        data = symbol.kind in ("OBJECT", "TLS")
        groups[symbol.kind if data else "FUNC", symbol.place if data else ""].append(symbol)
    lines, number = [], 0
    sections = {"FUNC": ".text", "OBJECT": ".bss", "TLS": '.section .tbss,"awT",@nobits'}
    types = {"FUNC": "function", "OBJECT": "object", "TLS": "tls_object"}
    for (kind, _), group in sorted(groups.items()):
        lines += [sections[kind], ".balign 32"]
        for symbol in group:
            at = "@@" if newest[symbol.name] == symbol.version and symbol.name != START else "@"
            label = f"stub{number}"
            number += 1
            lines += [
                f".{'weak' if symbol.binding == 'WEAK' else 'globl'} {label}",
                f".type {label}, @{types[kind]}",
                f".size {label}, {symbol.size}",
                f".symver {label}, {symbol.name}{at}{symbol.version}, remove",
                f"{label}:",
            ]
        # A program gets copies of data, under all its names: so size, binding and what shares a place are as they were.
        lines.append(".byte 0" if kind == "FUNC" else f".skip {max(1, *(each.size for each in group))}")
    return "\n".join([*lines, '.section .note.GNU-stack,"",@progbits', ""])


def version_script(symbols):
    versions = sorted({symbol.version for symbol in symbols})
    return "".join(f"{version} {{ }};\n" for version in versions)


def without(archive, names):
    """The bytes of a static library whose members use these names, and do not define them any more; or of one object.

    A member that is taken for one new name would otherwise bring second copies of old ones, such as the numbers of
    locale's facets and the lists of exceptions, which exist once in a process.
    """
    archive = bytearray(archive)
    names = {name.encode() for name in names}
    if archive.startswith(ELF):
        _undefine(archive, 0, names)
        return bytes(archive)
    at = len(b"!<arch>\n")
    while at < len(archive):
        size = int(archive[at + 48 : at + 58])
        at += 60
        if archive.startswith(ELF, at):
            _undefine(archive, at, names)
        at += size + size % 2
    return bytes(archive)


def _undefine(data, start, names):
    """Change the symbol table of the ELF file (64 bits, little-endian) that begins there."""
    sections, entry, count = (
        struct.unpack_from(form, data, start + place)[0]
        for form, place in (("<Q", 0x28), ("<H", 0x3A), ("<H", 0x3C))
    )
    headers = [
        struct.unpack_from("<IIQQQQIIQQ", data, start + sections + number * entry) for number in range(count)
    ]
    for _, kind, _, _, table, size, texts, _, _, each in headers:
        if kind != SYMTAB:
            continue
        for at in range(start + table, start + table + size, each):
            name, info, other, section = struct.unpack_from("<IBBH", data, at)
            begin = start + headers[texts][4] + name
            if section and info >> 4 != LOCAL and bytes(data[begin : data.index(0, begin)]) in names:
                struct.pack_into("<IBBHQQ", data, at, name, GLOBAL << 4 | info & 15, other, 0, 0, 0)


def linker_scripts(folder, archives, new, glibc):
    """The text of each linker script by its file's name. `archives` are the paths of the static parts by their names."""
    too_new = "".join(
        f'PROVIDE({name} = ASSERT(0, "kiln-error: {name} is new in {version} and is not in glibc {glibc}: '
        f'do without it, or give a newer --glibc"));\n'
        for name, version in new.items()
    )
    later = " ".join(f"{folder}/{name}" for name in (*OTHERS, LOADER))
    parts = f"{folder}/{LIBC} {archives['compat']} {archives['libc_nonshared.a']}"
    return {
        "libc.so": f"GROUP({parts} AS_NEEDED({later}))\n{too_new}",
        "libm.so": f"GROUP({folder}/libm.so.6 AS_NEEDED({folder}/libmvec.so.1))\n",
        "libstdc++.so": f"INPUT({folder}/libstdc++.so.6 {archives['later']})\n",
        "libgcc_s.so": f"GROUP({folder}/libgcc_s.so.1 -lgcc)\n",
        **{f"{name.partition('.')[0]}.so": f"INPUT({folder}/{name})\n" for name in OTHERS},
    }


def _numbers(version):
    return tuple(map(int, version.split(".")))


def _output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _defined(path):
    """The functions and data that an object or a static library defines under global names."""
    text = _output("readelf", "--wide", "--syms", path)
    return set(re.findall(r" (?:FUNC|OBJECT) +GLOBAL +\w+ +\d+ (\w+)$", text, re.MULTILINE))


def main(glibc, folder, compiler):
    folder = Path(folder)
    try:
        caps = read_caps((HERE / "caps.txt").read_text(), glibc)
    except KeyError:
        raise SystemExit(
            f"kiln-error: --glibc {glibc} is not in docker/glibc/caps.txt: add its versions there"
        ) from None

    def file(name):
        path = _output(compiler, f"-print-file-name={name}").strip()
        if path == name:
            raise SystemExit(
                f"kiln-error: {compiler} has no {name}, which --glibc {glibc} needs: add its package to the toolchain"
            )
        return path

    libraries = {
        name: read_symbols(_output("readelf", "--wide", "--dyn-syms", file(name))) for name in LIBRARIES
    }
    stubs, new = arrange(libraries, caps, read_layout((HERE / "layout.txt").read_text()))
    for name, symbols in stubs.items():
        source, versions = folder / f"{name}.s", folder / f"{name}.map"
        source.write_text(assembler(symbols))
        versions.write_text(version_script(symbols))
        options = ["-shared", "-nostdlib", "-Wl,--build-id=none", f"-Wl,-soname,{name}"]
        if symbols:
            options.append(f"-Wl,--version-script={versions}")
        subprocess.run([compiler, *options, "-o", str(folder / name), str(source)], check=True)
        source.unlink()
        versions.unlink()
        print(f"{name}: {len(symbols)} of {len(libraries[name])} symbols")
    later, facets = folder / "liblater.a", folder / "facets.o"
    there = {symbol.name for symbol in stubs["libstdc++.so.6"]}
    own = {name for name in _defined(facets) if name.startswith("_ZSt9")}
    facets.write_bytes(without(facets.read_bytes(), there))
    later.write_bytes(without(Path(file("libstdc++.a")).read_bytes(), there | own))
    subprocess.run(["ar", "rsD", str(later), str(facets)], check=True)
    # Notes for a tracer keep hold of functions that --gc-sections drops: gold stops at them.
    subprocess.run(["objcopy", "-D", "--remove-section=.note.stapsdt", str(later)], check=True)
    archives = {name: str(path) for name, path in (("later", later), ("compat", folder / "libcompat.a"))}
    archives["libc_nonshared.a"] = file("libc_nonshared.a")
    for name in _defined(archives["compat"]):
        new.pop(name, None)
    for name, text in linker_scripts(folder, archives, new, glibc).items():
        (folder / name).write_text(text)
    print(f"{len(new)} names are too new for glibc {glibc}")


if __name__ == "__main__":
    main(*sys.argv[1:])
