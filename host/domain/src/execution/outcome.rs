//! From a runner's report to the status and `result` that clients read
//! (contract, executions section 3).

use serde_json::json;

use super::ExecutionStatus;
use super::format;
use crate::action::OutputFormat;
use crate::id::WorkerId;
use crate::limits::Limits;
use crate::native::Confinement;
use crate::runner::{LimitHit, RunEnd, RunReport, Stream, Usage};
use crate::schema::Violation;
use crate::{Json, JsonObject};

/// stderr of up to so many lines is the error text; of more, the last line is.
const ERROR_LINES: usize = 5;

/// How an execution ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub status: ExecutionStatus,
    pub result: Json,
}

impl Outcome {
    /// The same end, of a run that was to be cancelled: what it wrote stays, its success does not.
    pub(super) fn into_cancelled(self) -> Outcome {
        let Json::Object(mut result) = self.result else {
            return Outcome { status: ExecutionStatus::Cancelled, result: self.result };
        };
        for other_end in ["exit_code", "abandoned_by", "original_status", "worker"] {
            result.remove(other_end);
        }
        put(&mut result, cancelled("Execution cancelled"));
        Outcome { status: ExecutionStatus::Cancelled, result: Json::Object(result) }
    }
}

/// The worker that a run was lost with, as results show it.
#[derive(Clone, Copy, Debug)]
pub struct Worker<'a> {
    pub id: WorkerId,
    pub name: &'a str,
    pub cordoned: bool,
}

/// Where a run has run.
#[derive(Clone, Copy, Debug)]
pub enum RanIn<'a> {
    Sandbox,
    /// With what the kernel did to confine it; none if it was not even started.
    Native(Option<&'a Confinement>),
}

impl RanIn<'_> {
    fn shown(self) -> Json {
        match self {
            RanIn::Sandbox => json!({"kind": "wasm"}),
            RanIn::Native(confinement) => json!({"kind": "native", "confinement": confinement}),
        }
    }
}

/// What the run wrote, as far as it was kept, and where stderr can be read.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Path of the stored stderr, shown as `stderr_log` when there is any.
    pub stderr_path: String,
}

/// The outcome of a run that a runner saw to its end.
pub fn of_run(
    report: &RunReport,
    captured: &Captured,
    format: OutputFormat,
    limits: &Limits,
    worker: Worker,
    ran_in: RanIn,
) -> Outcome {
    let mut result = JsonObject::new();
    let stdout = text(&captured.stdout);
    let stderr = text(&captured.stderr);
    result.insert("duration_ms".into(), report.usage.wall_ms.into());
    put_stdout(&mut result, report, format, stdout.trim());
    if !stderr.is_empty() {
        result.insert("stderr_log".into(), captured.stderr_path.clone().into());
    }
    put_truncation(&mut result, report);
    result.insert("usage".into(), usage_json(report.usage));
    result.insert("runner".into(), ran_in.shown());
    let (status, conclusion) = conclusion(&report.end, stderr.trim(), limits, worker);
    put(&mut result, conclusion);
    Outcome { status, result: Json::Object(result) }
}

fn conclusion(
    end: &RunEnd,
    stderr: &str,
    limits: &Limits,
    worker: Worker,
) -> (ExecutionStatus, Json) {
    use ExecutionStatus as S;
    match end {
        RunEnd::Exited(0) | RunEnd::Returned(_) => {
            (S::Completed, json!({"succeeded": true, "exit_code": 0}))
        }
        RunEnd::Exited(code) => (S::Failed, exited(*code, "exit", &error_text(stderr, *code))),
        RunEnd::Limit(hit) => (S::Failed, exited(-1, hit.as_str(), &limit_error(*hit, limits))),
        RunEnd::Trapped(message) => {
            let error = format!("the sandbox stopped the action: {message}");
            (S::Failed, exited(-1, "trap", &error))
        }
        RunEnd::Stopped => (S::Cancelled, cancelled("Execution cancelled")),
        RunEnd::NotSetUp(problem) => (S::Failed, failure("setup", problem)),
        RunEnd::Lost(_) => {
            (S::Abandoned, lost("the runner died while it ran the action", S::Running, worker))
        }
    }
}

fn failure(reason: &str, error: &str) -> Json {
    json!({"succeeded": false, "error": error, "failure_reason": reason})
}

fn exited(code: i32, reason: &str, error: &str) -> Json {
    json!({"succeeded": false, "error": error, "failure_reason": reason, "exit_code": code})
}

fn cancelled(error: &str) -> Json {
    json!({"succeeded": false, "cancelled": true, "error": error, "failure_reason": "cancelled"})
}

/// What the contract names for a dead worker; a runner is a part of one.
fn lost(error: &str, original_status: ExecutionStatus, worker: Worker) -> Json {
    json!({
        "succeeded": false,
        "error": error,
        "failure_reason": "runner_lost",
        "abandoned_by": "execution_timeout_monitor",
        "original_status": original_status.as_str(),
        "worker": {"id": worker.id, "name": worker.name, "cordoned": worker.cordoned},
    })
}

/// The outcome when the parameters do not fit; no runner was used.
pub fn of_violation(violation: &Violation) -> Outcome {
    of_parameters(&violation.to_string())
}

/// The outcome when a parameter cannot be given to the action; no runner was used.
pub fn of_parameters(problem: &str) -> Outcome {
    not_run("parameters", problem)
}

/// The outcome when a run could not even be prepared; no runner was used.
pub fn of_setup_problem(problem: &str) -> Outcome {
    not_run("setup", problem)
}

/// The outcome when the server's policy does not let the action run; no runner was used.
pub fn of_policy(problem: &str) -> Outcome {
    not_run("policy", problem)
}

/// The outcome of a cancel that came before the start; no runner was used.
pub fn of_cancel_before_start() -> Outcome {
    without_run(ExecutionStatus::Cancelled, cancelled("Execution cancelled before it started"))
}

/// The outcome of a run whose server was lost when it may have started.
pub fn of_lost_worker(original_status: ExecutionStatus, worker: Worker) -> Outcome {
    let error = "the server stopped while the action may have been running";
    without_run(ExecutionStatus::Abandoned, lost(error, original_status, worker))
}

/// The outcome of a run that took down as many runners as it may.
pub fn of_runner_lost_again(starts: u32) -> Outcome {
    not_run("runner_lost", &format!("the runner died in each of {starts} starts"))
}

fn not_run(reason: &str, error: &str) -> Outcome {
    without_run(ExecutionStatus::Failed, failure(reason, error))
}

/// An end of which no runner has told the usage.
fn without_run(status: ExecutionStatus, mut result: Json) -> Outcome {
    result["usage"] = usage_json(Usage::default());
    Outcome { status, result }
}

/// Invalid UTF-8 is replaced, never fatal.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn put(result: &mut JsonObject, fields: Json) {
    if let Json::Object(fields) = fields {
        result.extend(fields);
    }
}

fn put_stdout(result: &mut JsonObject, report: &RunReport, format: OutputFormat, stdout: &str) {
    let mut keep = !stdout.is_empty();
    if let RunEnd::Returned(value) = &report.end {
        result.insert("data".into(), value.clone());
    } else if let Some(parsed) = format::parse(format, stdout) {
        result.insert("data".into(), parsed.data);
        keep = !parsed.whole;
    }
    let notice = truncation_notice(report, Stream::Stdout);
    if keep || notice.is_some() {
        let notice = notice.unwrap_or_default();
        result.insert("stdout".into(), format!("{stdout}{notice}").into());
    }
}

/// The line that ends a truncated stream; none if all of it was kept.
pub fn truncation_notice(report: &RunReport, stream: Stream) -> Option<&'static str> {
    match stream {
        Stream::Stdout if report.stdout_dropped > 0 => {
            Some("\n[OUTPUT TRUNCATED: stdout exceeded size limit]")
        }
        Stream::Stderr if report.stderr_dropped > 0 => {
            Some("\n[OUTPUT TRUNCATED: stderr exceeded size limit]")
        }
        _ => None,
    }
}

fn put_truncation(result: &mut JsonObject, report: &RunReport) {
    let streams = [("stdout", report.stdout_dropped), ("stderr", report.stderr_dropped)];
    for (stream, dropped) in streams.into_iter().filter(|(_, dropped)| *dropped > 0) {
        result.insert(format!("{stream}_truncated"), true.into());
        result.insert(format!("{stream}_bytes_truncated"), dropped.into());
    }
}

fn usage_json(usage: Usage) -> Json {
    json!({"fuel": usage.fuel, "peak_memory_bytes": usage.peak_memory_bytes,
        "wall_ms": usage.wall_ms, "output_bytes": usage.output_bytes})
}

fn error_text(stderr: &str, code: i32) -> String {
    if stderr.is_empty() {
        return format!("Command exited with code {code}");
    }
    if stderr.lines().count() <= ERROR_LINES {
        return stderr.to_owned();
    }
    stderr.lines().last().unwrap_or_default().to_owned()
}

fn limit_error(hit: LimitHit, limits: &Limits) -> String {
    match hit {
        // Clients search for "timed out" (contract, executions section 3).
        LimitHit::Deadline => {
            format!("Execution timed out after {} seconds", limits.wall().as_secs_f64())
        }
        LimitHit::Fuel => {
            format!("the action used up its CPU limit of {} fuel (limits.fuel)", limits.fuel)
        }
        LimitHit::Memory => format!(
            "the action needed more than its memory limit of {} bytes (limits.memory_bytes)",
            limits.memory_bytes
        ),
        LimitHit::Output => format!(
            "the action wrote more than its output limit of {} bytes (limits.output_bytes)",
            limits.output_bytes
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::ConfinementLevel;
    use crate::runner::Lost;

    fn report(end: RunEnd) -> RunReport {
        RunReport { end, usage: Usage::default(), stdout_dropped: 0, stderr_dropped: 0 }
    }

    fn captured(stdout: &str, stderr: &str) -> Captured {
        Captured {
            stdout: stdout.into(),
            stderr: stderr.into(),
            stderr_path: "executions/1/stderr".into(),
        }
    }

    const WORKER: Worker = Worker { id: WorkerId(7), name: "attune-test", cordoned: false };

    fn run(end: RunEnd, stdout: &str, stderr: &str, format: OutputFormat) -> Outcome {
        of_run(
            &report(end),
            &captured(stdout, stderr),
            format,
            &Limits::default(),
            WORKER,
            RanIn::Sandbox,
        )
    }

    #[test]
    fn it_shows_where_it_ran() {
        let confinement =
            Confinement { level: ConfinementLevel::Full, applied: vec!["landlock".to_owned()] };
        let ran = |ran_in| {
            let report = report(RunEnd::Exited(0));
            let captured = captured("", "");
            of_run(&report, &captured, OutputFormat::Text, &Limits::default(), WORKER, ran_in)
        };
        assert_eq!(ran(RanIn::Sandbox).result["runner"], json!({"kind": "wasm"}));
        assert_eq!(
            ran(RanIn::Native(Some(&confinement))).result["runner"],
            json!({"kind": "native", "confinement": {"level": "full", "applied": ["landlock"]}})
        );
    }

    #[test]
    fn text_output_is_trimmed() {
        let outcome = run(RunEnd::Exited(0), " hello\n", "", OutputFormat::Text);
        assert_eq!(outcome.status, ExecutionStatus::Completed);
        assert_eq!(outcome.result["stdout"], "hello");
        assert_eq!(outcome.result["exit_code"], 0);
        assert_eq!(outcome.result["succeeded"], true);
        assert!(outcome.result.get("stderr_log").is_none());
    }

    #[test]
    fn json_output_becomes_data_and_stdout_goes() {
        let outcome = run(RunEnd::Exited(0), "{\"a\": 1}\n", "", OutputFormat::Json);
        assert_eq!(outcome.result["data"], json!({"a": 1}));
        assert!(outcome.result.get("stdout").is_none());
    }

    #[test]
    fn the_last_line_may_be_the_json() {
        let outcome = run(RunEnd::Exited(0), "working\n[1]\n", "", OutputFormat::Json);
        assert_eq!(outcome.result["data"], json!([1]));
        assert_eq!(outcome.result["stdout"], "working\n[1]");
    }

    #[test]
    fn jsonl_and_yaml() {
        let outcome = run(RunEnd::Exited(0), "1\n{\"b\":2}\n", "", OutputFormat::Jsonl);
        assert_eq!(outcome.result["data"], json!([1, {"b": 2}]));
        let outcome = run(RunEnd::Exited(0), "a: [1, no]\n", "", OutputFormat::Yaml);
        assert_eq!(outcome.result["data"], json!({"a": [1, "no"]}));
    }

    #[test]
    fn what_is_nested_too_deeply_to_be_read_back_stays_text() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for format in [OutputFormat::Json, OutputFormat::Yaml, OutputFormat::Jsonl] {
            let outcome = run(RunEnd::Exited(0), &nested(125), "", format);
            assert_eq!(outcome.result["stdout"], nested(125), "{format:?}");
            let outcome = run(RunEnd::Exited(0), &nested(50), "", format);
            let stored: Result<Json, _> = serde_json::from_str(&outcome.result.to_string());
            assert_eq!(stored.unwrap()["data"], outcome.result["data"], "{format:?}");
            assert!(outcome.result.get("stdout").is_none(), "{format:?}");
        }
    }

    #[test]
    fn what_would_fill_memory_stays_text() {
        let list = format!("[{}\n0]", "{\"\":0},\n".repeat(60_000));
        for (format, text) in [
            (OutputFormat::Json, list.clone()),
            (OutputFormat::Json, format!("log\n{}", list.replace('\n', ""))),
            (OutputFormat::Jsonl, "{\"\":0}\n".repeat(60_000)),
        ] {
            let outcome = run(RunEnd::Exited(0), &text, "", format);
            assert!(outcome.result.get("data").is_none(), "{format:?}");
            assert_eq!(outcome.result["stdout"], text.trim(), "{format:?}");
        }
    }

    #[test]
    fn the_error_of_a_failure_comes_from_stderr() {
        let short = run(RunEnd::Exited(3), "", "one\ntwo\n", OutputFormat::Text);
        assert_eq!(short.status, ExecutionStatus::Failed);
        assert_eq!(short.result["error"], "one\ntwo");
        assert_eq!(short.result["exit_code"], 3);
        assert_eq!(short.result["failure_reason"], "exit");
        let long = run(RunEnd::Exited(1), "", "1\n2\n3\n4\n5\nlast\n", OutputFormat::Text);
        assert_eq!(long.result["error"], "last");
        let silent = run(RunEnd::Exited(2), "", "", OutputFormat::Text);
        assert_eq!(silent.result["error"], "Command exited with code 2");
    }

    #[test]
    fn a_deadline_says_timed_out() {
        let outcome = run(RunEnd::Limit(LimitHit::Deadline), "so far", "", OutputFormat::Text);
        assert_eq!(outcome.status, ExecutionStatus::Failed);
        assert_eq!(outcome.result["error"], "Execution timed out after 300 seconds");
        assert_eq!(outcome.result["exit_code"], -1);
        assert_eq!(outcome.result["stdout"], "so far");
    }

    #[test]
    fn a_cancelled_run_keeps_its_output() {
        let outcome = run(RunEnd::Stopped, "so far", "", OutputFormat::Text);
        assert_eq!(outcome.status, ExecutionStatus::Cancelled);
        assert_eq!(outcome.result["cancelled"], true);
        assert_eq!(outcome.result["stdout"], "so far");
    }

    #[test]
    fn a_lost_runner_is_abandoned() {
        let outcome = run(RunEnd::Lost(Lost::MaybeStarted), "", "", OutputFormat::Text);
        assert_eq!(outcome.status, ExecutionStatus::Abandoned);
        assert_eq!(outcome.result["failure_reason"], "runner_lost");
    }

    #[test]
    fn a_lost_runner_and_a_lost_worker_are_told_alike() {
        let runner = run(RunEnd::Lost(Lost::MaybeStarted), "", "", OutputFormat::Text);
        let worker = of_lost_worker(ExecutionStatus::Running, WORKER);
        for result in [&runner.result, &worker.result] {
            assert_eq!(result["abandoned_by"], "execution_timeout_monitor");
            assert_eq!(result["original_status"], "running");
            let shown = json!({"id": 7, "name": "attune-test", "cordoned": false});
            assert_eq!(result["worker"], shown);
            assert_eq!(result["usage"]["fuel"], 0);
        }
    }

    #[test]
    fn what_was_lost_while_it_was_cancelled_is_not_told_as_abandoned() {
        let outcome = of_lost_worker(ExecutionStatus::Canceling, WORKER).into_cancelled();
        assert_eq!(outcome.status, ExecutionStatus::Cancelled);
        assert_eq!(outcome.result["cancelled"], true);
        assert!(outcome.result.get("abandoned_by").is_none(), "{}", outcome.result);
    }

    #[test]
    fn truncation_is_marked() {
        let report = RunReport { stdout_dropped: 12, ..report(RunEnd::Exited(0)) };
        let captured = captured("abc", "");
        let outcome = of_run(
            &report,
            &captured,
            OutputFormat::Text,
            &Limits::default(),
            WORKER,
            RanIn::Sandbox,
        );
        assert_eq!(outcome.result["stdout"], "abc\n[OUTPUT TRUNCATED: stdout exceeded size limit]");
        assert_eq!(outcome.result["stdout_truncated"], true);
        assert_eq!(outcome.result["stdout_bytes_truncated"], 12);
    }

    #[test]
    fn broken_utf8_is_replaced() {
        let captured = Captured { stdout: vec![b'a', 0xff, b'b'], ..Captured::default() };
        let report = report(RunEnd::Exited(0));
        let outcome = of_run(
            &report,
            &captured,
            OutputFormat::Text,
            &Limits::default(),
            WORKER,
            RanIn::Sandbox,
        );
        assert_eq!(outcome.result["stdout"], "a\u{fffd}b");
    }

    #[test]
    fn a_returned_value_is_the_data() {
        let outcome = run(RunEnd::Returned(json!({"n": 1})), "log line", "", OutputFormat::Text);
        assert_eq!(outcome.result["data"], json!({"n": 1}));
        assert_eq!(outcome.result["stdout"], "log line");
    }
}
