# SPDX-License-Identifier: Apache-2.0
"""vitrine FILE...: data files are imported and served."""
import io
import zipfile

from serving import run


def test_a_csv_file_is_served_at_once(server, tmp_path):
    (tmp_path / "people.csv").write_text("id,name\n1,Ada\n2,Grace\n3,x,y\n")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    one = server(tmp_path / "people.csv", env={"TMPDIR": str(temporary)})
    assert one.json("/people/people.json?_shape=array") == [
        {"rowid": 1, "id": 1, "name": "Ada"}, {"rowid": 2, "id": 2, "name": "Grace"}]
    assert one.json("/people/people__rejects.json?_shape=array")[0]["line"] == 4
    log = one.log()
    assert 'Made table "people": 2 rows, 2 columns' in log and "people__rejects" in log and "INTEGER" in log
    assert "thrown away" in log and list(temporary.iterdir())
    one.stop()
    assert not list(temporary.iterdir())


def test_several_files_and_a_database(server, tmp_path, chinook):
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "a.tsv").write_text("y\tz\n1\t2\n")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as z:
        z.writestr("one.csv", "a\n1\n")
        z.writestr("sub/two.csv", "a\n2\n")
    (tmp_path / "both.zip").write_bytes(packed.getvalue())
    one = server(tmp_path / "a.csv", chinook, tmp_path / "a.tsv", tmp_path / "both.zip")
    assert {d["name"] for d in one.json("/-/databases.json")["databases"]} >= {"chinook", "data"}
    tables = one.sql("data", "select name from sqlite_master order by 1")["rows"]
    assert [t["name"] for t in tables] == ["a", "a_2", "one", "two"]


def test_keep(server, tmp_path):
    data, kept = tmp_path / "a.csv", tmp_path / "kept.db"
    data.write_text("x\n1\n")
    one = server(data, "--keep", kept)
    assert one.json("/kept/a.json?_shape=arrayfirst") == [1]
    one.stop()
    assert kept.exists()
    status, _, err = run("serve", data, "--keep", kept, "--port", "0")
    assert status and '"a"' in err and "vitrine insert" in err
    assert run("serve", kept, "--keep", kept)[0] != 0


def test_what_cannot_be_imported_is_said(tmp_path):
    (tmp_path / "bad.csv").write_bytes(b"\x89PNG" + bytes(100))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    status, out, err = run(tmp_path / "bad.csv", env={"TMPDIR": str(temporary)})
    assert status and "PNG" in err and not list(temporary.iterdir())
    status, _, err = run(tmp_path / "none.csv")
    assert status and "none.csv" in err


def test_a_workbook_becomes_a_table_a_sheet(server, tmp_path):
    import openpyxl
    book = openpyxl.Workbook()
    book.active.title = "First"
    for name in ("First", "Zweites Blatt"):
        sheet = book[name] if name in book.sheetnames else book.create_sheet(name)
        for row in (["a"], [1], [2]):
            sheet.append(row)
    book.create_sheet("Empty")
    book.create_sheet("Hidden").sheet_state = "hidden"
    book["Hidden"].append([1])
    book.save(tmp_path / "Book.xlsx")
    one = server(tmp_path / "Book.xlsx")
    assert sorted(t["name"] for t in one.get("/Book.json").json()["tables"]) == ["First", "Zweites Blatt"]
    assert one.get("/Book/Zweites~20Blatt.json").json()["rows"][1]["a"] == 2
