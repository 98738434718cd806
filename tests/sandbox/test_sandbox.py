# SPDX-License-Identifier: Apache-2.0
"""vitrine sandbox as a command: who the program is, signals, ends, what is missing, mistakes."""
import ctypes
import errno
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

import box as boxes
import serving

SHELL = ("--children", "--run", "/bin", "--run", "/usr/bin")


def shell(box, script, *options, **how):
    return box.run(*box.sandbox(*SHELL, "--folder", box.space, *options), "/bin/sh", "-c", script, **how)


def until(condition):
    end = time.monotonic() + serving.READY_SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def inner(process):
    """The process below `vitrine sandbox`."""
    found = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    assert until(lambda: found.read_text().strip())
    return int(found.read_text().split()[0])


def test_who_and_where(box):
    status, out, err = shell(box, "id -u; id -G; hostname; echo $$; cat /proc/self/status; ls /proc/self/fd; env",
                             env={"ATTACK_SECRET_VARIABLE": "1"})
    assert status == 0, err
    lines = out.splitlines()
    assert lines[:4] == ["1000", "1000", "own", "1"]
    assert "CapBnd:\t0000000000000000" in lines and "NoNewPrivs:\t1" in lines and "Seccomp:\t2" in lines
    assert "ATTACK_SECRET_VARIABLE" not in out and "HOME=/tmp" in lines
    assert [n for n in lines if n.isdigit() and 2 < int(n) < 100] in ([], ["3"])  # of ls itself


def test_files_of_the_space_are_its_own(box):
    status, out, err = shell(box, "cd $PWD; for d in data state outbox; do echo x > $SPACE/$d/made || exit 1; done; "
                                  "stat -c %u $SPACE/data/own $SPACE/data/planted; echo y > $SPACE/space.json",
                             "--env", f"SPACE={box.space}")
    assert status == 2 and "Read-only file system" in err
    assert out.split() == ["1000", "1000"]
    assert (box.space / "outbox/made").read_text() == "x\n"
    outside = os.stat(box.space / "data/own").st_uid
    assert outside == (boxes.SPACE_USER if box.who == "root" else box.identity().get("user", os.geteuid()))
    assert os.stat(box.secret).st_uid != boxes.SPACE_USER  # the link was given away, not what it names


def test_replaced_space_json_is_seen(box):
    """The hub writes beside and renames; the folder is what is shown, so the new file is."""
    with subprocess.Popen([str(c) for c in (*box.sandbox(*SHELL, "--folder", box.space), "/bin/sh", "-c",
                           f"echo ready; read x; cat {box.space}/space.json")], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, **box.identity()) as process:
        assert process.stdout.readline() == b"ready\n"
        (box.space / "new").write_text('{"new": 1}')
        (box.space / "new").rename(box.space / "space.json")
        assert process.communicate(b"\n", timeout=120)[0] == b'{"new": 1}'


def test_ends(box):
    assert shell(box, "exit 7")[0] == 7
    assert shell(box, "kill -KILL $$; sleep 100 & kill -9 $!; wait $!; exit $(($? - 100))")[0] == 37
    status, _, err = box.run(*box.sandbox(), "/nowhere/program")
    assert status == 5 and "cannot run '/nowhere/program'" in err
    status, _, err = box.run(*box.sandbox("--write", "/nowhere"), "/bin/true")  # not with less instead
    assert status != 0 and "/nowhere" in err


def test_signals(box):
    quiet = box.start(*box.sandbox(*SHELL), "/bin/sleep", "1000")
    handled = box.start(*box.sandbox(*SHELL), "/bin/sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done",
                        stdout=subprocess.PIPE)
    assert handled.stdout.readline() == b"ready\n"
    pid = inner(quiet)
    assert until(lambda: pathlib.Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
    for process in (quiet, handled):
        process.send_signal(signal.SIGTERM)
    assert quiet.wait(120) == 128 + signal.SIGTERM  # nobody handles it, though it is number 1 of its namespace
    assert handled.wait(120) == 9
    handled.stdout.close()


def test_nothing_is_left(box):
    """With the parent ends the program, and with it all that it started."""
    process = box.start(*box.sandbox(*SHELL), "/bin/sh", "-c", "sleep 1000 & sleep 1000 & echo ready; wait",
                        stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    first = inner(process)
    children = pathlib.Path(f"/proc/{first}/task/{first}/children").read_text().split()
    assert len(children) == 2
    process.kill()
    process.wait()
    process.stdout.close()
    assert until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in (first, *children)))


def test_listening_socket(box):
    """It is made outside and handed in: no folder of sockets is seen inside. Clients wait until the program is there."""
    path = box.top / "run/a.sock"
    data = box.space / "data/one.db"
    serving.make(data, "create table if not exists t(a); insert into t values (1)")
    process = box.start(*box.sandbox("--folder", box.space, "--listen", path, "--memory", 0), box.program, "serve",
                        "--uds", path, "--state", box.space / "state", data, stdout=subprocess.DEVNULL)
    assert until(path.exists)
    assert b'"rows"' in ask(path, "/one/t.json")
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 0 and not path.exists()


def memory(pid, *names):
    """What lies in those parts of a process."""
    maps = [line.split() for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()]
    with open(f"/proc/{pid}/mem", "rb") as file:
        for words in maps:
            if words[-1] in names and "r" in words[1]:
                first, last = (int(n, 16) for n in words[0].split("-"))
                file.seek(first)
                yield file.read(last - first)


@pytest.mark.parametrize("own", [True, False], ids=["own", "copy"])
def test_our_own_program_goes_on(box, own):
    """Our own file is not started a second time: the child goes on as it. A copy of it is started, like any other program.
    Nothing else differs: what it is told, who it is, what it may, and that it knows nothing of our environment."""
    path, secret = box.top / "run/own.sock", "of-whoever-started-us"
    program = box.program if own else box.top / "other-name"
    if not own:
        shutil.copy(box.program, program)
    data = box.space / "data/goes-on.db"
    serving.make(data, "create table if not exists t(a); insert into t values (1)")
    command = [program, "serve", "--uds", path, "--state", box.space / "state", data]
    with box.start(*box.sandbox("--folder", box.space, "--listen", path), *command, stdout=subprocess.DEVNULL,
                   env={"ATTACK_SECRET_VARIABLE": secret}) as process:
        try:
            assert until(lambda: is_listening(path))
            assert b'"rows"' in ask(path, "/goes-on/t.json")
            pid = inner(process)
            told = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            assert told == [str(word).encode() for word in command]
            status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
            assert "CapBnd:\t0000000000000000" in status and "CapEff:\t0000000000000000" in status
            assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
            threads = sorted(int(task.name) for task in pathlib.Path(f"/proc/{pid}/task").iterdir())
            assert threads[0] == pid and len(threads) > 1
            if os.geteuid() == 0:  # who may look into it
                environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
                goes_on = own and b"__tsan_init" not in box.program.read_bytes()
                assert (b"HOME=/tmp" in environment) != goes_on
                parts = list(memory(pid, "[stack]", "[heap]"))
                assert parts and not any(secret.encode() in part for part in (environment, *parts))
                assert any(b"HOME=/tmp" in part for part in parts) or boxes.SANITIZED
                names = {os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{pid}/fd")}
                assert "pipe" not in names - {os.readlink(f"/proc/{os.getpid()}/fd/2").split(":")[0]}
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0 and not path.exists()


def is_listening(path):
    """Its name is there a moment before."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def ask(path, target):
    connection = serving.UnixConnection(str(path), 30)
    connection.request("GET", target)
    body = connection.getresponse().read()
    connection.close()
    return body


def test_limits(box):
    script = "ulimit -n; ulimit -c; ulimit -u; df -k /tmp | tail -1"
    status, out, err = shell(box, script, "--files", 77, "--processes", 33, "--tmp-size", "3M")
    assert status == 0, err
    assert out.split()[:3] == ["77", "0", "33"] or out.split()[:2] == ["77", "0"]
    assert "3072" in out
    # LIMIT_SANDBOX_STACKS beside the memory itself; LIMIT_SANDBOX_TMP_FILES, LIMIT_SANDBOX_SIGNALS
    status, out, _ = shell(box, "grep -E 'data size|pending' /proc/self/limits; df -i /tmp | tail -1", "--memory", "100M")
    words = out.split()
    assert (boxes.SANITIZED or str((100 << 20) + 268435456) in words) and "4096" in words and "16384" in words


def test_cgroup(box):
    """Two incarnations share one; it is gone with the last."""
    boxes.require("cgroups, for the tests are not root", box.who == "root")
    limits = ("--memory", "64M", "--processes", 50, "--cpu", 30)
    started = [box.start(*box.sandbox("--folder", box.space, *limits), "/bin/sleep", "1000", stderr=subprocess.PIPE)
               for _ in range(2)]
    pids = [inner(p) for p in started]

    def groups(pid):
        lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        return {line.split(":")[1]: line.split(":")[2] for line in lines if line.endswith("/vitrine-own")}
    if not until(lambda: all(map(groups, pids))):
        for p in started:
            p.terminate()
        boxes.require("cgroups, for none can be made here: " + started[0].stderr.read().decode(), False)
    assert groups(pids[0]) == groups(pids[1])
    top = pathlib.Path("/sys/fs/cgroup")
    folders = [top / name / group[1:] for name, group in groups(pids[0]).items()]

    def values(*names):
        return [f.read_text().strip() for d in folders for name in names for f in d.glob(name)]
    assert values("memory.max", "memory.limit_in_bytes") == [str(64 << 20)]
    assert values("pids.max") == ["50"] and values("cpu.max", "cpu.cfs_quota_us")[0].split()[0] == "30000"
    assert values("memory.high") in ([], [str(60 << 20)]) and values("memory.swap.max") in ([], ["0"])
    for p in started:
        p.terminate()
        p.wait(120)
        p.stderr.close()
    assert not [d for d in folders if d.exists()]


def test_out_of_memory(box):
    """The limit holds, the one that is over it ends, and the log and the exit status say why."""
    boxes.require("cgroups, for the tests are not root", box.who == "root")
    status, _, err = box.run(*box.sandbox("--require", "cgroup"), "/bin/true")
    boxes.require("cgroups, for none can be made here: " + err, status != 78)
    assert status == 0, err
    hungry = ("/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=300M", "count=1")  # ends well where nothing is held
    status, _, err = box.run(*box.sandbox("--memory", "64M"), *hungry, timeout=300)
    assert status == 250 and "the program was ended for lack of memory: it used up what it may have" in err, (status, err)
    assert "--memory, 64 MB" in err
    status, out, err = shell(box, f"{' '.join(hungry)}; echo $?", "--memory", "64M", timeout=300)
    assert (status, out) == (0, "137\n") and "a process of it was ended for lack of memory" in err, (status, out, err)


def test_processor_time(box):
    """A limit that a busy program meets; where there is none it is at least polite."""
    loop = [*box.sandbox(*SHELL, "--folder", box.space, "--cpu", 3), "/bin/sh", "-c", "while :; do :; done"]
    process = box.start(*loop, stderr=subprocess.PIPE)
    pid = inner(process)

    def throttled():
        lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        groups = [line.split(":")[1:] for line in lines if line.endswith("/vitrine-own")]
        stats = [pathlib.Path("/sys/fs/cgroup") / names.split(",")[0] / group[1:] / "cpu.stat" for names, group in groups]
        return any(int(line.split()[1]) for stat in stats if stat.exists() for line in stat.read_text().splitlines()
                   if line.startswith("nr_throttled "))

    def polite():
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[16]) == 10
    try:
        assert until(lambda: throttled() or polite())
        assert throttled() != polite()
    finally:
        process.terminate()
        process.wait(120)
        process.stderr.close()


def test_deep_folders_are_given_to_a_depth(box):
    """LIMIT_SANDBOX_DEPTH: folders deeper than that keep their owner; nothing breaks."""
    boxes.require("owners, for the tests are not root", box.who == "root")
    deep = box.space / "data" / "/".join("d" for _ in range(40))
    deep.mkdir(parents=True)
    assert shell(box, "exit 0")[0] == 0
    owners = [p.stat().st_uid for p in (deep, *deep.parents) if box.space / "data" in p.parents]
    assert owners[-1] == boxes.SPACE_USER and owners[0] == 0
    assert owners.count(boxes.SPACE_USER) in (32, 33)


def test_what_is_missing_is_said(box):
    """Where a cgroup cannot be made; a sandbox in a sandbox has no namespaces either."""
    nested = [*box.sandbox(*SHELL, "--run", box.program, "--folder", box.space, "--memory", 0), box.program, "sandbox",
              "--memory", 0]
    status, out, err = box.run(*nested, "--require", "namespaces", "--", "/bin/true")
    assert status == 78 and "no isolation by namespaces" in err and "user namespaces" in err
    if box.who == "user":
        status, out, err = box.run(*box.sandbox("--require", "cgroup"), "/bin/true")
        assert status == 78 and "no isolation by cgroup" in err and "Delegate=yes" in err
        status, out, err = box.run(*box.sandbox(), "/bin/true")
        assert status == 0 and err.count("runs without: cgroup (") == 1 and err.count("\n") == 1


SETHOSTNAME = {"x86_64": 170, "aarch64": 161}


def refuse_host_names():
    """As the filter of a container may: sethostname(2) fails with EPERM, whoever calls it. Runs in the child."""
    number = SETHOSTNAME[os.uname().machine]
    words = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | errno.EPERM), (0x06, 0, 0, 0x7fff0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *word) for word in words))
    program = struct.pack("=H6xQ", len(words), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
        os._exit(99)


@pytest.mark.skipif(os.uname().machine not in SETHOSTNAME, reason="which call it is here is not known")
def test_a_container_that_refuses_host_names(box):
    """podman's usual filter does: the rest of the namespaces is there all the same."""
    status, out, err = shell(box, "id -u; echo $$; hostname own", "--require", "namespaces,seccomp", "--memory", 0,
                             preexec_fn=refuse_host_names)
    assert "no host name: Operation not permitted" in err and out.split() == ["1000", "1"], (status, out, err)


def test_mistakes(box):
    for arguments, text in (((), "no program was given"), (("--require", "magic"), "one of all, namespaces"),
                            (("--memory", "1X"), "is no size"), (("--files", "x"), "is no number"),
                            (("--folder", "a/../b"), "a path with '..'"), (("--name", "a b"), "is no name"),
                            (("x",), "the program stands after --"), (("--folder", "/nowhere"), "/nowhere")):
        status, _, err = box.run(*box.sandbox()[:-1], *arguments, *(["--", "/bin/true"] if arguments else []))
        assert status != 0 and text in err, (arguments, err)


def test_root_needs_a_user_for_it(box):
    boxes.require("what root may not do, for the tests are not root", box.who == "root")
    status, _, err = box.run(box.program, "sandbox", "--", "/bin/true")
    assert status == 64 and "--user-id" in err
