# SPDX-License-Identifier: Apache-2.0
"""vitrine package: the folder that docker builds is whole: run from it alone, the program serves the data."""
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import serving
from serving import make, run

HASH = "pbkdf2_sha256$1$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs="  # password
ASAN = b"__asan_init" in serving.PROGRAM.read_bytes()


@pytest.fixture
def data(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t/index.html").write_text("<h1>{{ metadata.title }} of the image</h1>")
    (tmp_path / "s/deep").mkdir(parents=True)
    (tmp_path / "s/deep/x.txt").write_text("static")
    (tmp_path / "m.yaml").write_text("description: from the file\ntitle: no\n")
    return make(tmp_path / "data.db", "create table t (id integer primary key, s text); insert into t values (1, 'one')")


def command_of(folder):
    text = (folder / "Dockerfile").read_text()
    assert text.startswith("# Made by vitrine package.\nFROM scratch\n")
    return text, json.loads(re.search(r"^CMD (.*)$", text, re.M).group(1))


def test_the_folder_is_whole(tmp_path, data):
    to = tmp_path / "image"
    status, out, err = run("package", data, "--to", to, "-m", tmp_path / "m.yaml", "--title", "Data", "--template-dir",
                           tmp_path / "t", "--static", f"files:{tmp_path / 's'}", "--version-note", "note", "-p", "8080",
                           "--secret", 'a"b$c', "--plugin-secret", "datasette-auth-passwords", "root_password_hash",
                           "pbkdf2_sha256$1$x", "--extra-options", "--setting default_page_size 7")
    assert status == 0 and "docker build" in out, err
    text, command = command_of(to)
    assert 'ENV DATASETTE_SECRET="a\\"b\\$c"' in text and "EXPOSE 8080" in text and "PORT=8080" in text
    assert command == ["serve", "--host", "0.0.0.0", "-i", "data.db", "--inspect-file", "inspect-data.json", "--metadata",
                       "metadata.json", "--template-dir", "templates", "--static", "files:static-1", "--version-note",
                       "note", "--cors", "--setting", "default_page_size", "7"]
    variable = "DATASETTE_AUTH_PASSWORDS_ROOT_PASSWORD_HASH"
    assert json.loads((to / "app/metadata.json").read_text()) == {
        "description": "from the file", "title": "Data",
        "plugins": {"datasette-auth-passwords": {"root_password_hash": {"$env": variable}}}}
    assert f'ENV {variable}="pbkdf2_sha256\\$1\\$x"' in text
    assert (to / "app/static-1/deep/x.txt").read_text() == "static"
    assert json.loads((to / "app/inspect-data.json").read_text())["data"]["tables"]["t"]["count"] == 1
    # what the image runs, with the files that it has
    s = serving.Server(*command[3:], cwd=to / "app", env={variable: HASH}).wait()
    try:
        assert "Data of the image" in s.get("/").text
        assert s.json("/data/t.json?_shape=array") == [{"id": 1, "s": "one"}]
        assert s.get("/files/deep/x.txt").text == "static"
    finally:
        s.stop()


@pytest.mark.skipif(os.geteuid() != 0 or ASAN, reason="needs root, and a program without sanitizers")
def test_nothing_is_missing_in_the_root(tmp_path, data):
    run("package", data, "--to", tmp_path / "image")
    done = subprocess.run(["chroot", tmp_path / "image/root", "/vitrine", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("vitrine "), done


def test_every_library_is_there(tmp_path, data):
    run("package", data, "--to", tmp_path / "image")
    names = set(re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", serving.PROGRAM], capture_output=True, text=True).stdout))
    assert names
    for name in names:
        assert (tmp_path / "image/root" / name.lstrip("/")).exists() or any(
            p.name == os.path.basename(name) for p in (tmp_path / "image/root").rglob("*")), name


def test_docker_is_asked_to_build(tmp_path, data):
    """A docker that keeps what it is given."""
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin/docker"
    docker.write_text(f"#!{sys.executable}\nimport sys, shutil\nshutil.copytree(sys.argv[-1], {str(tmp_path / 'got')!r})\n"
                      f"open({str(tmp_path / 'args')!r}, 'w').write(' '.join(sys.argv[1:-1]))\n"
                      "sys.exit(3 if 'bad' in sys.argv else 0)\n")
    docker.chmod(0o755)
    env = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    before = {p for p in os.listdir("/tmp") if p.startswith("vitrine-image-")}
    assert run("package", data, "-t", "my:1", env=env)[0] == 0
    assert (tmp_path / "args").read_text() == "build -t my:1" and (tmp_path / "got/Dockerfile").exists()
    shutil.rmtree(tmp_path / "got")
    status, _, err = run("package", data, "-t", "bad", env=env)
    assert status != 0 and "docker build failed" in err
    status, _, err = run("package", data, "-t", "x", env={"PATH": str(tmp_path)})
    assert status != 0 and "no docker" in err and "--to" in err
    assert before == {p for p in os.listdir("/tmp") if p.startswith("vitrine-image-")}


def test_mistakes(tmp_path, data):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/app").mkdir()
    for arguments, says in [((), "which database"), ((tmp_path / "gone.db", "--to", tmp_path / "a"), "gone.db"),
                            ((data, "--to", tmp_path / "b", "-p", "0"), "--port"),
                            ((data, "--to", tmp_path / "b", "--static", "x"), "MOUNT:DIR"),
                            ((data, data, "--to", tmp_path / "b"), "same name"),
                            ((data, "--to", tmp_path / "full"), "not empty"),
                            ((data, "--to", tmp_path / "b", "--secret", "a\nRUN x"), "DATASETTE_SECRET"),
                            ((data, "--to", tmp_path / "b", "-m", tmp_path / "none.json"), "none.json")]:
        status, _, err = run("package", *arguments)
        assert status != 0 and says in err, (arguments, err)
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists() and (tmp_path / "full").exists()


@pytest.mark.parametrize("host, tool, wanted", [
    ("fly", "flyctl", ["apps create my-app", "deploy FOLDER --app my-app --config FOLDER/fly.toml --remote-only "
                       "--primary-region ams"]),
    ("cloudrun", "gcloud", ["run deploy my-app --source FOLDER --allow-unauthenticated --port=8080 --region ams"])])
def test_publish(tmp_path, data, host, tool, wanted):
    """The host's program is called as it wants to be; that the app is there already is no failure."""
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / tool
    fake.write_text(f"#!{sys.executable}\nimport os, sys, shutil\nopen({str(tmp_path / 'args')!r}, 'a').write("
                    "' '.join(sys.argv[1:]) + '\\n')\nfolder = [a for a in sys.argv if a.startswith('/tmp/vitrine-image-')]\n"
                    f"folder and shutil.copytree(folder[0], {str(tmp_path / 'got')!r})\n"
                    "sys.exit('create' in sys.argv or 'bad' in sys.argv)\n")
    fake.chmod(0o755)
    env = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    status, _, err = run("publish", host, data, "--app", "my-app", "--region", "ams", env=env)
    assert status == 0, err
    lines = re.sub(r"/tmp/vitrine-image-\w+", "FOLDER", (tmp_path / "args").read_text()).splitlines()
    assert lines == wanted
    text, command = command_of(tmp_path / "got")
    assert "PORT=8080" in text and command[-2:] == ["force_https_urls", "on"]
    if host == "fly":
        assert (tmp_path / "got/fly.toml").read_text().startswith('app = "my-app"\n')
    status, _, err = run("publish", host, data, "--app", "bad", env=env)
    assert status != 0 and f"{tool} " in err and "failed" in err
    status, _, err = run("publish", host, data, "--app", "x", env={"PATH": str(tmp_path)})
    assert status != 0 and f"no {tool}" in err
    assert run("publish", host, data, "--app", "x", "--generate-dir", tmp_path / "only")[0] == 0
    assert (tmp_path / "only/Dockerfile").exists()


def test_publish_mistakes(tmp_path, data):
    for arguments, says in [((), "publish where"), (("mars", data), "no host"), (("fly",), "which database"),
                            (("fly", data), "--app"), (("fly", data, "--app", "a b"), "small letters"),
                            (("fly", data, "--app", "a", "-p", "80"), "--port")]:
        status, _, err = run("publish", *arguments)
        assert status == 64 and says in err, (arguments, err)
