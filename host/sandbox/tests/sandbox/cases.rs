//! A folder per case: `case.json`, and a pack whose script tries something.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use attune_domain::limits::Limits;
use attune_domain::runner::{Entry, Job, RunEnd};
use attune_domain::{Json, JsonObject};
use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use serde_json::json;

use crate::host::{Host, Ran, TENANT, job, repository};

/// What `case.json` says. The guest's own cases have the same fields, and no limits.
#[derive(Clone, Deserialize)]
struct Case {
    #[serde(default)]
    request: Request,
    #[serde(default)]
    stdin: String,
    #[serde(default)]
    limits: JsonObject,
    /// Links to be made in the pack, from name to target.
    #[serde(default)]
    symlinks: BTreeMap<String, String>,
    /// It brings a host of its own into the guest.
    #[serde(default)]
    fake_host: bool,
    expect: Expect,
}

#[derive(Clone, Default, Deserialize)]
struct Request {
    #[serde(default)]
    entry: Option<String>,
    #[serde(default)]
    function: Option<String>,
    #[serde(default)]
    argv: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    params: JsonObject,
    #[serde(default)]
    context: JsonObject,
}

#[derive(Clone, Deserialize)]
struct Expect {
    /// As the guest's cases say it: `{"exit_code": 0}` or `{"result": …}`.
    #[serde(default)]
    response: Option<Json>,
    /// As ours do: `deadline`, `fuel`, `memory`, `output`, `trapped`.
    #[serde(default)]
    end: Option<String>,
    #[serde(default)]
    stdout: Option<String>,
    #[serde(default)]
    stdout_contains: Vec<String>,
    #[serde(default)]
    stdout_lacks: Vec<String>,
    #[serde(default)]
    stderr_contains: Vec<String>,
    #[serde(default)]
    stderr_lacks: Vec<String>,
    #[serde(default)]
    stdout_dropped: Option<u64>,
    /// Milliseconds that the run may have taken.
    #[serde(default)]
    wall_ms_below: Option<u64>,
}

pub(crate) fn trials() -> Vec<Trial> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let guests = repository().join("runtimes/python/tests/cases");
    let mut trials = trials_in("wall", &ours);
    trials.extend(trials_in("guest", &guests));
    trials
}

fn trials_in(kind: &str, folder: &Path) -> Vec<Trial> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let cases = folders.into_iter().filter(|folder| runs_here(folder));
    cases
        .map(|folder| {
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            Trial::test(format!("{kind}::{name}"), move || run_case(&folder))
        })
        .collect()
}

/// A job has no arguments, and this host is no fake: such cases can only be run by the guest's
/// own tests.
fn runs_here(folder: &Path) -> bool {
    read(folder).is_ok_and(|case| case.request.argv.is_empty() && !case.fake_host)
}

fn read(folder: &Path) -> Result<Case, Failed> {
    Ok(serde_json::from_str(&fs::read_to_string(folder.join("case.json"))?)?)
}

fn run_case(folder: &Path) -> Result<(), Failed> {
    let case = read(folder)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let host = Host::start().await;
        let job = prepare(&host, &case, folder)?;
        // Once on a fresh instance, and once on whatever the runner has then.
        for _ in 0..2 {
            check(&case.expect, &host.run(job.clone()).await)?;
        }
        host.sandbox.shutdown().await;
        Ok(())
    })
}

fn prepare(host: &Host, case: &Case, folder: &Path) -> Result<Job, Failed> {
    let pack = host.path("packs").join(TENANT.to_string()).join("case");
    copy(&folder.join("pack"), &pack)?;
    for (name, target) in &case.symlinks {
        symlink(target, pack.join(name))?;
    }
    // What other packs hold, to be found by cases that look for it.
    host.pack(TENANT, "neighbour", "# neighbour's secret");
    let mut limits = serde_json::to_value(Limits { wall_ms: 30_000, ..Limits::default() })?;
    for (name, value) in &case.limits {
        limits[name] = value.clone();
    }
    let request = case.request.clone();
    let file = request.entry.unwrap_or_else(|| "actions/main.py".to_owned());
    Ok(Job {
        entry: Entry { file, function: request.function },
        env: request.env,
        stdin: case.stdin.clone().into_bytes().into(),
        params: request.params,
        context: request.context,
        limits: serde_json::from_value(limits)?,
        ..job(TENANT, pack)
    })
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn check(expect: &Expect, ran: &Ran) -> Result<(), Failed> {
    let mut problems = Vec::new();
    let mut require = |holds: bool, what: String| {
        if !holds {
            problems.push(what);
        }
    };
    if let Some(response) = &expect.response {
        require(&response_of(&ran.report.end) == response, format!("expected {response}"));
    }
    if let Some(end) = &expect.end {
        require(end_of(&ran.report.end) == *end, format!("expected the end {end}"));
    }
    if let Some(stdout) = &expect.stdout {
        require(ran.stdout == *stdout, format!("expected stdout {stdout:?}"));
    }
    for text in &expect.stdout_contains {
        require(ran.stdout.contains(text), format!("stdout lacks {text:?}"));
    }
    for text in &expect.stdout_lacks {
        require(!ran.stdout.contains(text), format!("stdout contains {text:?}"));
    }
    for text in &expect.stderr_contains {
        require(ran.stderr.contains(text), format!("stderr lacks {text:?}"));
    }
    for text in &expect.stderr_lacks {
        require(!ran.stderr.contains(text), format!("stderr contains {text:?}"));
    }
    if let Some(dropped) = expect.stdout_dropped {
        require(ran.report.stdout_dropped == dropped, format!("expected {dropped} bytes dropped"));
    }
    if let Some(limit) = expect.wall_ms_below {
        require(ran.report.usage.wall_ms < limit, format!("took longer than {limit} ms"));
    }
    if problems.is_empty() {
        return Ok(());
    }
    let cut = |text: &str| text.chars().take(2_000).collect::<String>();
    let (stdout, stderr) = (cut(&ran.stdout), cut(&ran.stderr));
    Err(format!("{}\n{:?}\nstdout: {stdout}\nstderr: {stderr}", problems.join("\n"), ran.report)
        .into())
}

fn response_of(end: &RunEnd) -> Json {
    match end {
        RunEnd::Exited(code) => json!({"exit_code": code}),
        RunEnd::Returned(value) => json!({"result": value}),
        _ => Json::Null,
    }
}

fn end_of(end: &RunEnd) -> String {
    match end {
        RunEnd::Limit(hit) => serde_json::to_value(hit).unwrap().as_str().unwrap().to_owned(),
        RunEnd::Trapped(_) => "trapped".to_owned(),
        other => format!("{other:?}"),
    }
}
