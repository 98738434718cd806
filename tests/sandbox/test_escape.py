# SPDX-License-Identifier: Apache-2.0
"""A program that was taken over tries to get out (attacker.c). Each row of the table says what has to refuse it."""
import contextlib
import os
import re

import pytest

import box as boxes

ROOT = "the root of its own: it is not there"
MOUNT = "the mount: read only, or without programs"
PIDS = "the process namespace: there is no such process"
NET = "the network namespace"
CALLS = "seccomp"
ENDED = "seccomp, which ends the process"
LIMIT = "a limit"
START = "descriptors and environment that are not passed on"

ENOENT, EPERM = {"ENOENT"}, {"EPERM"}
EROFS = {"EROFS", "EACCES", "ETXTBSY"}  # EACCES: Landlock is asked before the mount; ETXTBSY: so is the running program
SIGSYS = {"SIGSYS"}
TABLE = {
    ROOT: (ENOENT, "read_secret read_other_space read_by_dots read_passwd read_tls_key list_home follow_planted_link "
                   "follow_planted_folder climb_out open_memory open_kernel_log open_disk open_kvm open_terminal "
                   "open_shared_memory proc_root_1 proc_root_victim proc_mem_victim proc_environ_victim "
                   "proc_core_pattern proc_sysrq proc_kcore proc_kallsyms cgroup_agent cgroup_list connect_control "
                   "connect_other connect_docker connect_dbus"),
    "the root of its own: nothing is in it": ({"ENODATA", "EACCES"}, "list_spaces"),
    MOUNT: (EROFS, "write_space_json remove_space_json add_to_space write_program write_library write_root proc_oom "
                   "proc_uid_map"),
    "the mount: it ends there": ({"EXDEV"}, "replace_space_json link_space_json"),
    "the mount: no code in data": (EPERM, "run_from_data"),
    PIDS: ({"ESRCH"}, "signal_victim signal_all pidfd_victim limit_victim"),
    NET: ({"ECONNREFUSED"}, "connect_abstract"),
    START: ({"EBADF", "ENODATA"}, "inherited parents_environment"),
    CALLS: ({"EPERM", "ENOSYS"}, "make_link own_by_root give_capability setuid_file clone_user clone_3 clone_child "
                                 "fork_old clone_thread_in_namespace run_shell run_self run_at run_memory netlink "
                                 "packet raw_ip udp tcp6 vsock kernel_crypto bluetooth connect_tcp push_key "
                                 "console_call new_personality real_time raise_limit lock_memory"),
    ENDED: (SIGSYS, "make_device make_pipe trace_victim trace_me pidfd_take read_victim write_victim sysv_memory "
                    "sysv_semaphore sysv_queue posix_queue key_add key_request key_control mount_something "
                    "mount_proc unmount_folder new_mount clone_mount change_mount pivot change_root unshare_user "
                    "unshare_mount join_namespace host_name become_root become_root_3 join_group set_capabilities "
                    "uring bpf_program perf page_faults load_kernel load_module restart_machine use_swap set_time "
                    "kernel_messages file_by_handle watch_all_files own_filter ports segments call_32 call_x32"),
    LIMIT: ({"ENOMEM", "EAGAIN", "EMFILE", "ENOSPC", "EFBIG"},
            "bomb_memory bomb_threads bomb_descriptors bomb_tmp bomb_names bomb_file"),
}
ROWS = {name: (refuser, answers) for refuser, (answers, names) in TABLE.items() for name in names.split()}
# What an ordinary program may do outside: there the same code gets through, so the rows prove something.
if boxes.SANITIZED:
    ROWS = {name: row for name, row in ROWS.items() if name not in ("bomb_memory", "lock_memory")}
OUTSIDE = ("read_secret read_other_space read_by_dots read_passwd list_spaces follow_planted_link "
           "follow_planted_folder climb_out cgroup_list connect_control connect_other connect_abstract connect_tcp "
           "signal_victim pidfd_victim limit_victim read_victim proc_environ_victim inherited parents_environment "
           "clone_child run_from_data udp make_link add_to_space write_space_json open_shared_memory").split()


@pytest.fixture(scope="module")
def attacker(box):
    boxes.require("escapes: this build has no attacker", boxes.ATTACKER.exists())
    return box.copy(boxes.ATTACKER)


def outcome(text, status, name):
    found = re.search(rf"^{name} (.+)$", text, re.M)
    return found.group(1) if found else "SIGSYS" if status == 128 + 31 else f"exit status {status}"


def sandbox(box):
    environment = [a for name in box.attack() for a in ("--env", name)]
    return box.sandbox("--folder", box.space, "--require", "namespaces,landlock,seccomp", "--memory", "256M",
                       "--tmp-size", "16M", "--files", 256, "--processes", 64, "--file-size", "64M", *environment)


@contextlib.contextmanager
def open_folder(box):
    """A descriptor that a careless parent leaves open."""
    fd = os.open(box.top, os.O_RDONLY)
    yield {"pass_fds": [fd]}
    os.close(fd)


def test_table_is_whole(box, attacker):
    status, out, err = box.run(attacker)
    known = set(out.split())
    assert status == 0, err
    assert known - set(ROWS) <= ({"bomb_memory", "lock_memory"} if boxes.SANITIZED else set()) and len(ROWS) > 100
    assert set(OUTSIDE) <= known


def test_attempts(box, attacker):
    known = set(box.run(attacker)[1].split())
    env = {**box.attack(), "ATTACK_SECRET_VARIABLE": "1"}
    together = [n for n, (_, answers) in ROWS.items() if n in known and answers != SIGSYS and not n.startswith("bomb")]
    alone = [n for n in ROWS if n in known and n not in together]
    got = {}
    with open_folder(box) as inherited:
        status, out, err = box.run(*sandbox(box), attacker, *together, env=env, **inherited)
    assert status == 0, (out, err)
    for name in together:
        got[name] = outcome(out, status, name)
    for name in alone:
        status, out, err = box.run(*sandbox(box), attacker, name, env=env)
        got[name] = outcome(out, status, name)
    wrong = {n: (got[n], "but has to be refused by", ROWS[n][0]) for n in got if got[n] not in ROWS[n][1]}
    assert not wrong
    assert len(got) >= 100
    assert box.victim.poll() is None and (box.space / "space.json").read_text() == "{}"


def test_outside_they_get_through(box, attacker):
    env = {**box.attack(), "ATTACK_SECRET_VARIABLE": "1"}
    with open_folder(box) as inherited:
        _, text, _ = box.run(attacker, *OUTSIDE, env=env, **inherited)
    for name in ("data/made", "new.json"):
        (box.space / name).unlink(missing_ok=True)
    refused = {n: outcome(text, 0, n) for n in OUTSIDE if outcome(text, 0, n) != "got through"}
    assert not refused
