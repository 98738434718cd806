# SPDX-License-Identifier: Apache-2.0
"""What Python's csv module reads from a file, and how a cell of the imported table must compare with it."""
import csv
import io
import pathlib
import re

csv.field_size_limit(1 << 30)

# Files whose bytes are not UTF-8. Where the text was mangled before it was saved, both readings are
# nonsense somewhere; the table says which one is expected.
ENCODINGS = {
    "2015_01_30/events.csv": "windows-1252", "performer-scores.csv": "mac-roman", "show-data.csv": "mac-roman",
    "poll-of-pollsters-7.tsv": "mac-roman", "poll-of-pollsters-anonymous-answers-7.tsv": "mac-roman",
    # mangled
    "ahca_polls.csv": "mac-roman", "tenth-circuit.csv": "mac-roman", "realDonaldTrump.csv": "mac-roman",
    "biopics.csv": "windows-1252", "police_killings.csv": "windows-1252", "BarackObama.csv": "windows-1252",
    "poll-of-pollsters-3.tsv": "windows-1252", "poll-of-pollsters-anonymous-answers-3.tsv": "windows-1252",
    "poll-of-pollsters-4.tsv": "windows-1252", "poll-of-pollsters-anonymous-answers-4.tsv": "windows-1252",
    "sleeping-alone-data.csv": "windows-1252", "StarWars.csv": "windows-1252",
}
# Files whose header is not the first row: the row's number, from 0.
HEADERS = {"NFL_fandom_data-google_trends.csv": 1, "jets-buyer.csv": 1}
DATES = {"year/month/day": "ymd", "month/day/year": "mdy", "day/month/year": "dmy"}
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()


def encoding_of(path):
    return next((e for name, e in ENCODINGS.items() if pathlib.Path(path).as_posix().endswith("/" + name)), None)


def text_of(path, encoding):
    data = pathlib.Path(path).read_bytes()
    if encoding == "windows-1252":
        return "".join(bytes([b]).decode("cp1252") if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(b) for b in data)
    if encoding:
        return data.decode(encoding)
    return data.decode("utf-8-sig")


def rows_of(path, delimiter, encoding=None):
    """All rows that are not blank lines."""
    return [row for row in csv.reader(io.StringIO(text_of(path, encoding), newline=""), delimiter=delimiter) if row]


def iso(text, order):
    """The day that a text means, in the order of the report, as ISO text."""
    day, _, time = text.partition(" ")
    if order == "with the name of the month":
        found = re.fullmatch(r"(\d{1,2})([ -])([A-Za-z]+)\2(\d{4})(?: (.*))?", text)
        if found:
            d, m, y, time = found.group(1), found.group(3), found.group(4), found.group(5) or ""
        else:
            m, d, y, time = re.fullmatch(r"([A-Za-z]+) (\d{1,2}), (\d{4})(?: (.*))?", text).groups(default="")
        m = MONTHS.index(m[:3].lower()) + 1
    else:
        parts = dict(zip(DATES[order], re.split(r"[/.-]", day)))
        y, m, d = parts["y"], parts["m"], parts["d"]
    result = f"{int(y):04d}-{int(m):02d}-{int(d):02d}"
    if time:
        result += "T" + ":".join(f"{int(part):02d}" for part in time.split(":"))
    return result


def same(got, wanted, column):
    """A cell of the table against the text of the file."""
    if got is None:
        return wanted == ""
    if isinstance(got, int):
        return str(got) == wanted.strip(" ")
    if isinstance(got, float):
        return float(wanted) == got and not re.match(r"\s*-?0\d", wanted)
    if column.get("date_order"):
        return got == (iso(wanted, column["date_order"]) if wanted else "")
    return got == wanted
