//! What a program is given, and how its end is told.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use attune_domain::native::{ConfinementLevel, Interpreter, NativeRunner, Program};
use attune_domain::runner::{PARAMETER_FILE, RunEnd};
use bytes::Bytes;

use crate::Case;
use crate::host::Host;

pub(crate) const TRIALS: &[Case] = &[
    ("this_machine_confines_fully", |host| {
        let confinement = host.native.confinement();
        assert_eq!(confinement.level, ConfinementLevel::Full);
        assert!(confinement.applied.iter().any(|wall| wall.starts_with("landlock ABI")));
        assert!(host.run(host.script("")).well().is_empty());
    }),
    ("output_and_exit_codes", |host| {
        let ran = host.run(host.script("echo out; echo err >&2; exit 7"));
        assert_eq!(ran.report.end, RunEnd::Exited(7));
        assert_eq!((ran.out(), ran.stderr.as_slice()), ("out\n", b"err\n".as_slice()));
        assert_eq!(ran.report.usage.output_bytes, 8);
        assert!(ran.report.usage.peak_memory_bytes > 0);
    }),
    ("a_command_that_is_not_there_is_127", |host| {
        let ran = host.run(host.script("echo.sh"));
        assert_eq!(ran.report.end, RunEnd::Exited(127));
    }),
    ("a_signal_is_128_and_its_number", |host| {
        let ran = host.run(host.script("kill -9 $$"));
        assert_eq!(ran.report.end, RunEnd::Exited(137));
        let ran = host.run(host.script("kill -TERM $$"));
        assert_eq!(ran.report.end, RunEnd::Exited(143));
    }),
    ("a_closed_pipe_ends_whom_it_should", |host| {
        assert_eq!(
            host.run(host.script("yes | head -1; echo ${PIPESTATUS[0]}")).well(),
            "y\n141\n"
        );
    }),
    ("binary_output_is_passed_as_it_is", |host| {
        let ran = host.run(host.script(r"printf '\x00\xff\xfe\n'"));
        assert_eq!(ran.stdout, b"\x00\xff\xfe\n");
    }),
    ("no_stdin_is_an_empty_one", |host| {
        assert_eq!(host.run(host.script("cat; echo end")).well(), "end\n");
    }),
    ("standard_streams_can_be_opened_by_name", |host| {
        let mut job = host.script("cat /dev/stdin >/dev/stdout; echo err >/dev/stderr");
        job.stdin = "in\n".into();
        let ran = host.run(job);
        assert_eq!((ran.well(), ran.stderr.as_slice()), ("in\n", b"err\n".as_slice()));
    }),
    ("much_stdin_comes_back", |host| {
        let mut job = host.script("cat");
        let megabytes: Vec<u8> = (0..8_u32 << 20).map(|at| (at % 251) as u8).collect();
        job.stdin = Bytes::from(megabytes.clone());
        assert!(host.run(job).stdout == megabytes);
    }),
    ("stdin_that_nobody_reads_holds_nobody_up", |host| {
        let mut job = host.script("echo done");
        job.stdin = Bytes::from(vec![b'x'; 1 << 20]);
        assert_eq!(host.run(job).well(), "done\n");
    }),
    ("parameters_come_in_a_file_for_the_user_alone", |host| {
        let mut job =
            host.script(&format!("stat -c '%a %U' {PARAMETER_FILE}; cat {PARAMETER_FILE}"));
        job.parameter_file = Some("{\"a\":1}".into());
        assert_eq!(host.run(job).well(), "600 attune\n{\"a\":1}");
    }),
    ("the_environment_is_the_jobs_and_ours", the_environment_is_exact),
    ("arguments_hold_no_script", |host| {
        let job =
            host.script("secret=hunter2; tr '\\0' ' ' </proc/self/cmdline; cat /proc/$$/cmdline");
        assert!(!host.run(job).out().contains("hunter2"));
    }),
    ("only_three_descriptors_are_open", |host| {
        let job = host.python("import os; print(sorted(os.listdir('/proc/self/fd'))[:4])");
        // The fourth is that of the listing itself.
        assert_eq!(host.run(job).well(), "['0', '1', '2', '3']\n");
    }),
    ("each_interpreter_runs_a_file_of_the_pack", |host| {
        let python = "import os, sys; print(os.getcwd(), sys.argv)";
        let ran = host.run(host.python(python));
        assert_eq!(ran.well(), "/pack ['/pack/actions/main.py']\n");
        let bash = host.file(Interpreter::Bash, "a.sh", "echo $0 $PWD");
        assert_eq!(host.run(bash).well(), "/pack/a.sh /pack\n");
        let node = host.file(Interpreter::Node, "a.js", "console.log(process.cwd(), 6 * 7)");
        assert_eq!(host.run(node).well(), "/pack 42\n");
        let itself = host.file(Interpreter::Itself, "tool", "#!/bin/sh\necho itself");
        assert_eq!(host.run(itself).well(), "itself\n");
    }),
    ("a_program_that_cannot_start_says_why", a_program_that_cannot_start_says_why),
    ("a_pack_elsewhere_is_refused", |host| {
        let mut job = host.script("");
        job.pack_folder = Some("/etc".into());
        let end = host.run(job).report.end;
        assert!(matches!(end, RunEnd::NotSetUp(_)), "{end:?}");
        let mut job = host.script("");
        std::os::unix::fs::symlink("/etc", host.path("packs/link")).unwrap();
        job.pack_folder = Some(host.path("packs/link"));
        let end = host.run(job).report.end;
        assert!(matches!(end, RunEnd::NotSetUp(_)), "{end:?}");
    }),
    ("the_run_knows_its_user_and_its_host", |host| {
        let ran = host.run(host.script("id -un; id -u; id -G; hostname; echo ~"));
        assert_eq!(ran.well(), "attune\n1000\n1000\nattune\n/tmp\n");
    }),
];

fn the_environment_is_exact(host: &Host) {
    let mut job = host.python("import os, json; print(json.dumps(dict(os.environ)))");
    let own = [("OWN", "a=b\nc"), ("LANG", "C"), ("https_proxy", "http://elsewhere:1")];
    job.env = own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let ran = host.run(job);
    let seen: BTreeMap<String, String> = serde_json::from_str(ran.well()).unwrap();
    let door = "http://127.0.0.1:3128";
    let here = "127.0.0.1,localhost";
    let expected = [
        ("ATTUNE_API_URL", door),
        ("HOME", "/tmp"),
        ("HTTPS_PROXY", door),
        ("HTTP_PROXY", door),
        ("LANG", "C"),
        ("NO_PROXY", here),
        ("OWN", "a=b\nc"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("http_proxy", door),
        ("https_proxy", door),
        ("no_proxy", here),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut seen = seen;
    // Of Python's own making (PEP 538).
    seen.remove("LC_CTYPE");
    assert_eq!(seen, expected.into());
}

fn a_program_that_cannot_start_says_why(host: &Host) {
    let problem = |job| match host.run(job).report.end {
        RunEnd::NotSetUp(problem) => problem,
        other => panic!("{other:?}"),
    };
    let mut job = host.file(Interpreter::Itself, "tool", "#!/bin/sh\n");
    fs::set_permissions(host.path("packs/1/pack/tool"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(problem(job.clone()).contains("not executable"));
    job.program = Program::File { interpreter: Interpreter::Itself, path: "none".to_owned() };
    assert!(problem(job.clone()).contains("/pack/none"));
    job.program = Program::File { interpreter: Interpreter::Bash, path: "../x".to_owned() };
    assert!(problem(job).contains("below the pack's folder"));
    let job = host.file(Interpreter::Itself, "tool", "#!/usr/bin/no-such-interpreter\n");
    assert!(problem(job).contains("first line"));
}
