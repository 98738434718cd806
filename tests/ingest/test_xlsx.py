# SPDX-License-Identifier: Apache-2.0
"""vitrine insert: workbooks, as openpyxl writes them and as other programs do."""
import datetime
import gzip
import io
import random
import subprocess
import sys
import zipfile
from xml.sax.saxutils import escape

import openpyxl
import pytest

import limits
import serving
from serving import run
from test_rows import Import, types

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


@pytest.fixture
def imports(tmp_path):
    return Import(tmp_path)


def saved(book):
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def workbook(*rows, title="Data"):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    return book


def parts(sheet="", strings=None, styles="", properties="", sheets=(("Data", "worksheet", ""),)):
    """The parts of a workbook written by hand; `sheet`: what is in the <sheetData> of the first one."""
    names = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"{more}/>' for i, (name, _, more) in enumerate(sheets, 1))
    relations = "".join(f'<Relationship Id="r{i}" Type="{RELATIONS}/{kind}" Target="worksheets/sheet{i}.xml"/>'
                        for i, (_, kind, _) in enumerate(sheets, 1))
    files = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Override PartName="/xl/workbook.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><workbookPr {properties}/>'
        f'<sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{relations}'
        f'<Relationship Id="s" Type="{RELATIONS}/sharedStrings" Target="sharedStrings.xml"/>'
        f'<Relationship Id="y" Type="{RELATIONS}/styles" Target="/xl/styles.xml"/>'
        f'<Relationship Id="x" Type="{RELATIONS}/externalLink" Target="file:///etc/passwd" TargetMode="External"/>'
        '</Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>'}
    for i in range(1, len(sheets) + 1):
        files[f"xl/worksheets/sheet{i}.xml"] = (
            f'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="{MAIN}"><sheetData>{sheet if i == 1 else ""}'
            '</sheetData></worksheet>')
    if strings is not None:
        files["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">' + "".join(strings) + "</sst>"
    return files


def packed(files, how=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as z:
        for name, text in files.items():
            z.writestr(name, text)
    return out.getvalue()


def by_hand(*arguments, **more):
    return packed(parts(*arguments, **more))


HEAD = '<row r="1"><c r="A1" t="str"><v>a</v></c><c r="B1" t="str"><v>b</v></c></row>'


def test_kinds_of_cells(imports):
    book = workbook(["id", "name", "born", "at", "time", "ok", "x", "big"],
                    [1, "Ada", datetime.date(1915, 12, 10), datetime.datetime(2020, 1, 31, 7, 5), datetime.time(7, 5), True, 1.5,
                     2**53],
                    [2, "007", datetime.date(2000, 2, 29), datetime.datetime(1999, 12, 31, 23, 59, 59), datetime.time(0, 0, 1),
                     False, 2, 3],
                    [3, "1e5", None, None, None, None, None, None])
    report = imports(saved(book), name="in.xlsx")
    assert report["format"] == "XLSX" and report["part"] == "Data" and report["parts"] == ["Data"]
    assert types(report) == {"id": "INTEGER", "name": "TEXT", "born": "TEXT", "at": "TEXT", "time": "TEXT", "ok": "INTEGER",
                             "x": "REAL", "big": "INTEGER"}
    assert imports.rows() == [
        (1, "Ada", "1915-12-10", "2020-01-31T07:05:00", "07:05:00", 1, 1.5, 2**53),
        (2, "007", "2000-02-29", "1999-12-31T23:59:59", "00:00:01", 0, 2.0, 3), (3, "1e5") + (None,) * 6]
    assert report["shorter_than_header"] == 0 and report["rejected"] == 0


def test_sheets(imports):
    book = workbook(["a"], [1], title="First")
    book.create_sheet("Größe & <b>").append(["x", "y"])
    book["Größe & <b>"].append([1, 2])
    book.create_sheet("Empty")
    data = saved(book)
    assert imports(data, name="in.xlsx")["part"] == "First"
    assert imports(data, "--sheet", "Größe & <b>", name="in.xlsx", table="s")["imported"] == 1
    assert imports.rows("select * from s") == [(1, 2)]
    assert imports(data, "--sheet", "2", name="in.xlsx", table="n")["part"] == "Größe & <b>"
    err = imports.fails(data, "--sheet", "Nope", name="in.xlsx")
    assert "Nope" in err and "First, Größe & <b>, Empty" in err
    assert "no sheet" in imports.fails(data, "--sheet", "4", name="in.xlsx")
    assert "empty" in imports.fails(data, "--sheet", "Empty", name="in.xlsx")
    book["First"].sheet_state = "hidden"
    book.active = 1
    assert imports(saved(book), name="in.xlsx", table="h")["part"] == "Größe & <b>"


def test_what_stands_around_the_table(imports):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["C3"] = "Sales of the year"
    sheet.merge_cells("C3:G3")
    for column, text in zip("CDEFG", ["id", "town", None, "sum", "rest"]):
        sheet[column + "5"] = text
    for i in range(40):
        for column, value in zip("CDEFG", [i, f"T{i}", "x", i / 2, -i]):
            sheet[f"{column}{6 + i}"] = value
    sheet["C47"] = "Source: the office"
    report = imports(saved(book), name="in.xlsx")
    assert types(report) == {"id": "INTEGER", "town": "TEXT", "column_3": "TEXT", "sum": "REAL", "rest": "INTEGER"}
    assert report["header_line"] == 5
    assert report["imported"] == 40 and imports.rows()[3] == (3, "T3", "x", 1.5, -3)
    assert imports.rows("select line, text, reason from t__rejects") == [
        (3, "Sales of the year", "a line above the header"), (47, "Source: the office", "a note under the table")]


def test_a_cell_left_of_the_table(imports):
    book = openpyxl.Workbook()
    for i in range(1, 400):
        book.active[f"C{i}"], book.active[f"D{i}"] = ("c", "d") if i == 1 else (i, i)
    book.active["B390"] = "late"
    report = imports(saved(book), name="in.xlsx")
    assert [c["name"] for c in report["columns"]] == ["column_1", "c", "d"] and report["rejected"] == 0
    assert imports.rows("select * from t where c = 390") == [("late", 390, 390)]


def test_rows_that_do_not_fit(imports):
    rows = [["a", "b"]] + [[i, i] for i in range(10)] + [[1, 2, "three"]]
    report = imports(saved(workbook(*rows)), name="in.xlsx")
    assert report["rejected"] == 1
    assert imports.rows("select line, text, reason from t__rejects") == [(12, "1,2,three", "3 cells, but there are 2 columns")]
    assert "row 12" in imports.fails(saved(workbook(*rows)), "--strict", name="in.xlsx", table="s").replace("line", "row")


def test_shared_texts(imports):
    strings = ["<si><t>a</t></si>", "<si><t>b</t></si>",
               '<si><r><rPr><b/></rPr><t xml:space="preserve">rich </t></r><r><t>text</t></r><rPh><t>sound</t></rPh></si>',
               "<si><t>&lt;é&#10;_x000D_&amp;_x005F_x000D_</t></si>", "<si/>"]
    sheet = ('<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
             '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="s"><v>3</v></c></row>'
             '<row r="3"><c r="A3" t="s"><v>4</v></c><c r="B3" t="s"><v>2</v></c></row>')
    imports(by_hand(sheet, strings), name="in.xlsx")
    assert imports.rows() == [("rich text", "<é\n\r&_x000D_"), (None, "rich text")]
    assert "shared text" in imports.fails(by_hand(sheet, strings[:3]), name="in.xlsx", table="s")


def test_cells_written_by_others(imports):
    """Without references, with prefixes, inline and rich, formulas, errors, ISO dates."""
    sheet = (HEAD.replace(' r="A1"', "").replace(' r="B1"', "") +
             '<row><c t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c><c><f>1+1</f><v>2</v></c></row>'
             '<row r="9" spans="1:2"><c r="B9" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
             '<row r="10"><c r="A10" t="d"><v>2020-01-31</v></c><c r="B10"><f>SUM(B1)</f></c></row>'
             '<row r="11"><c r="A11" s="7"/><c r="B11"/></row><row r="12"/>'
             '<row r="13"><c r="A13" t="b"><v>1</v></c><c r="B13"><v>1E3</v></c></row>')
    report = imports(by_hand(sheet), name="in.xlsx")
    assert imports.rows() == [("inline", 2), (None, None), ("2020-01-31", None), ("TRUE", 1000)]
    assert report["cell_errors"] == 1 and report["uncalculated"] == 1
    prefixed = {name: text.replace("<", "<x:").replace("<x:/", "</x:").replace("<x:?", "<?").replace("xmlns=", "xmlns:x=")
                for name, text in parts(sheet).items()}
    imports(packed(prefixed), name="in.xlsx", table="p")
    assert imports.rows("select * from p") == imports.rows()
    backslashes = {name.replace("/", "\\"): text for name, text in parts(sheet).items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, text in backslashes.items():
            info = zipfile.ZipInfo("x")
            info.filename = name
            z.writestr(info, text)
    imports(out.getvalue(), name="in.xlsx", table="back")
    assert imports.rows("select * from back") == imports.rows()


FORMATS = [  # code, number, what is imported
    ("yyyy-mm-dd", 43861, "2020-01-31"), ("d/m", 43861.5, "2020-01-31T12:00:00"), ("General", 43861, 43861),
    ('0.00 "days"', 3, 3), ("[h]:mm:ss", 1.5, "36:00:00"), ("h:mm AM/PM", .25, "06:00:00"), ("mm:ss.0", 1 / 86400, "00:00:01"),
    ("[Red]#,##0", 5, 5), ('[$-409]d\\-mmm\\-yy;@', 60, 60), ("yyyy", 59, "1900-02-28"), ("yyyy", 61, "1900-03-01"),
    ("yyyy", 1, "1900-01-01"), ("yyyy", -1, -1), ("yyyy", 2958465, "9999-12-31"), ("yyyy", 2958466, 2958466),
    ("yyyy-mm-dd hh:mm", 43861.520833333336, "2020-01-31T12:30:00"), ("0%", .5, .5), ("mmm", 43861, "2020-01-31"),
    ("#,##0.00_);(#,##0.00)", 1.5, 1.5), ("0.00E+00", 1500, 1500), ("hh:mm", 43861.25, "2020-01-31T06:00:00")]


@pytest.mark.parametrize("code, number, wanted", FORMATS)
def test_formats(imports, code, number, wanted):
    style = (f'<numFmts><numFmt numFmtId="170" formatCode="{escape(code, {chr(34): "&quot;"})}"/></numFmts><cellStyleXfs>'
             '<xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="170"/></cellXfs>')
    sheet = HEAD + f'<row r="2"><c r="A2"><v>1</v></c><c r="B2" s="1"><v>{number!r}</v></c></row>'
    imports(by_hand(sheet, styles=style), name="in.xlsx")
    assert imports.rows() == [(1, wanted)]


@pytest.mark.parametrize("built_in, wanted", [(14, "2020-01-31"), (22, "2020-01-31T00:00:00"), (0, 43861), (2, 43861), (9, 43861)])
def test_built_in_formats_and_1904(imports, built_in, wanted):
    style = f'<cellXfs><xf numFmtId="{built_in}"/></cellXfs>'
    imports(by_hand(HEAD + '<row r="2"><c r="B2" s="0"><v>43861</v></c></row>', styles=style), name="in.xlsx")
    assert imports.rows() == [(None, wanted)]
    imports(by_hand(HEAD + '<row r="2"><c r="B2" s="0"><v>42399</v></c></row>', styles=style, properties='date1904="1"'),
            name="in.xlsx", table="mac")
    assert imports.rows("select b from mac") == [(wanted if isinstance(wanted, str) else 42399,)]


def test_any_packing_and_name(imports):
    data = saved(workbook(["a", "b"], [1, "x"]))
    for number, (name, content) in enumerate((("in.bin", data), ("in.xlsx.gz", gzip.compress(data)), ("in.xlsm", data),
                                              ("in.zip", packed({"sub/in.xlsx": data})))):
        assert imports(content, name=name, table=f"t{number}")["format"] == "XLSX"
    done = subprocess.run([serving.PROGRAM, "insert", imports.path, "piped", "-"], input=data, capture_output=True)
    assert done.returncode == 0 and imports.rows("select * from piped") == [(1, "x")]


def test_macros_and_links_are_ignored(imports):
    files = parts(HEAD + '<row r="2"><c r="A2"><v>1</v></c></row>')
    files["[Content_Types].xml"] = files["[Content_Types].xml"].replace(
        "vnd.openxmlformats-officedocument.spreadsheetml.sheet.main", "vnd.ms-excel.sheet.macroEnabled.main")
    files["xl/vbaProject.bin"] = b"\0" * 1000
    files["xl/externalLinks/externalLink1.xml"] = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'
    assert imports(packed(files), name="in.xlsm")["imported"] == 1


def broken(change):
    files = parts(HEAD + '<row r="2"><c r="A2"><v>1</v></c></row>', ["<si><t>x</t></si>"])
    change(files)
    return packed(files)


def swap(part, old, new):
    return lambda files: files.__setitem__(part, files[part].replace(old, new))


SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize("change, says", [
    (swap(SHEET, "</row>", ""), "damaged"), (swap(SHEET, 'r="A2"', 'r="ZZZZ2"'), "ZZZZ2"),
    (lambda files: files.pop(SHEET), "no sheets"), (lambda files: files.pop("xl/workbook.xml"), "no workbook"),
    (lambda files: files.pop("xl/_rels/workbook.xml.rels"), "no workbook"),
    (swap(SHEET, "<worksheet", '<!DOCTYPE x [<!ENTITY a "b">]><worksheet'), "document type"),
    (swap("xl/sharedStrings.xml", "<sst", "<!DOCTYPE x><sst"), "document type"),
    (swap(SHEET, "<row", "<a>" * limits.LIMIT_INGEST_XML_DEPTH + "<row"), "nested"),
    (swap(SHEET, "<row", "<!--" + "x" * limits.LIMIT_INGEST_XML_TAG * 2 + "--><row"),
     str(limits.LIMIT_INGEST_XML_TAG)),
    (swap(SHEET, "<v>1</v>", "<v>" + "x" * (limits.LIMIT_INGEST_XLSX_CELL + 1) + "</v>"), "a cell is longer"),
    (swap(SHEET, "<v>1</v>", "<v>&a;</v>"), "damaged"),
    (swap("[Content_Types].xml", "spreadsheetml.sheet.main+xml", "sheet.binary.macroEnabled.main"), "xlsb"),
    (lambda files: files.__setitem__(SHEET, files[SHEET].replace("<row", " \n<c/>" * 12000000 + "<row")),
     f"{limits.LIMIT_INGEST_XML_RATIO} times its size"),
    (swap(SHEET, HEAD, '<row r="1">' + "".join(f'<c t="str"><v>c{i}</v></c>' for i in range(2100)) + "</row>"), "columns"),
    (swap(SHEET, HEAD, '<row r="1">' + "<c/>" * 16385 + "</row>"), "16,384"),
    (swap("xl/workbook.xml", "<sheets>", "<sheets>" + '<sheet name="x"/>' * limits.LIMIT_INGEST_SHEETS),
     f"{limits.LIMIT_INGEST_SHEETS} sheets")], ids=range(16))
def test_bad_workbooks(imports, change, says):
    imports("kept\n1\n", table="kept")
    assert says in imports.fails(broken(change), name="in.xlsx")
    assert imports.rows("select name from sqlite_master") == [("kept",)]


def test_truncated_and_damaged_zips(imports):
    data = saved(workbook(*[[i, f"text {i}", random.random()] for i in range(3000)]))
    for n in (10, len(data) // 2, len(data) - 10):
        imports.fails(data[:n], name="in.xlsx")
    rng = random.Random(4)
    for _ in range(40):
        bad = bytearray(data)
        for _ in range(3):
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        status, _, _ = run("insert", imports.path, "t", imports.file(bytes(bad), "in.xlsx"), "--replace-table")
        assert status not in (134, 139, -6, -11)


def test_encrypted_and_old_workbooks(imports):
    compound = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
    assert "password" in imports.fails(compound + "EncryptedPackage".encode("utf-16-le") + b"\0" * 600, name="in.bin")
    assert "password" in imports.fails(compound, name="in.xlsx")
    assert "old Excel" in imports.fails(compound, name="in.xls")


def test_big_sheet_in_bounded_memory(imports, tmp_path):
    """200,000 rows with as many different texts; the sheet is some 40 MB of XML."""
    with zipfile.ZipFile(tmp_path / "in.xlsx", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        files = parts()
        sheet = files.pop(SHEET)
        for name, text in files.items():
            z.writestr(name, text)
        begin, end = sheet.split("</sheetData>")
        with z.open(SHEET, "w") as out:
            out.write((begin + HEAD).encode())
            for i in range(2, 200002):
                out.write(f'<row r="{i}"><c r="A{i}"><v>{i}</v></c><c r="B{i}" t="str"><v>{"text" * 20} {i}</v></c>'
                          f'<c r="C{i}"/></row>'.encode())
            out.write(("</sheetData>" + end).encode())
    # A process of its own waits for it: the high-water mark of a child begins with that of whoever starts it.
    code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", code, serving.PROGRAM, "insert", imports.path, "t", tmp_path / "in.xlsx",
                           "--silent"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert imports.rows("select count(*), min(a), max(a), count(distinct b) from t") == [(200000, 2, 200001, 200000)]
    if b"__asan_init" not in serving.PROGRAM.read_bytes():
        assert int(done.stdout) < 64 * 1024, done.stdout
