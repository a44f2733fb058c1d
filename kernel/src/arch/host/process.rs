//! Processes for tests: each test that needs the kernel's statics, or ends the machine, runs its work in
//! a process of its own ([`alone`], [`each_alone`]). The end of the machine is the end of that process.

use std::io::Write;
use std::process::Command;
use std::string::String;
use std::time::Duration;
use std::vec::Vec;
use std::{any, env, process, thread};

/// The environment variable that tells a child process which case to run.
const CASE: &str = "KERNEL_TEST_CASE";
/// A child process that runs longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Exit statuses of a child process: its work returned; the work took too long.
pub(crate) const RETURNED: i32 = 0;
const HANGS: i32 = 120;
/// Exit statuses for the ends of the machine that have none of their own.
pub(crate) const HALTED: i32 = 121;
pub(crate) const SHUT_DOWN: i32 = 122;
pub(crate) const RESET_BY_CHIPSET: i32 = 123;
pub(crate) const RESET_BY_KEYBOARD: i32 = 124;

/// The end of a child process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ended {
    /// The exit status.
    pub status: i32,
    /// The output on the serial line. If the work panicked, the message follows.
    pub printed: String,
}

impl Ended {
    /// Panics, with the output, unless the work returned.
    #[track_caller]
    pub(crate) fn assert_returned(&self) {
        assert_eq!(self.status, RETURNED, "it printed:\n{}", self.printed);
    }

    /// Panics, with the output, unless the process ended with `status`.
    #[track_caller]
    pub(crate) fn assert_ended(&self, status: i32) {
        assert_eq!(self.status, status, "it printed:\n{}", self.printed);
    }

    /// Panics unless the process ended with `status`, and these lines are the last that it printed.
    #[track_caller]
    pub(crate) fn assert_tail(&self, status: i32, lines: &[&str]) {
        let printed: Vec<_> = self.printed.lines().collect();
        assert!(printed.ends_with(lines), "it printed:\n{}", self.printed);
        self.assert_ended(status);
    }

    /// Panics unless the process ended with `status` and printed `lines`, each with a line end.
    #[track_caller]
    pub(crate) fn assert_printed(&self, status: i32, lines: &[&str]) {
        let printed: Vec<_> = self.printed.split_inclusive("\r\n").collect();
        let wanted: Vec<_> = lines.iter().map(|line| std::format!("{line}\r\n")).collect();
        assert_eq!(printed, wanted, "status {}", self.status);
        assert_eq!(self.status, status);
    }
}

/// Runs `work` in a process of its own. `work` is a closure of the test, or is wrapped in a closure of a
/// function that is generic over the test's. A test calls this only once.
#[must_use]
pub(crate) fn alone<F: Fn()>(work: F) -> Ended {
    each_alone(&[()], |()| work()).remove(0)
}

/// Runs `work` on each of `cases`, each time in a process of its own, as [`alone`] does.
///
/// # Panics
///
/// If a process cannot be started, or hangs.
pub(crate) fn each_alone<C, F: Fn(&C)>(cases: &[C], work: F) -> Vec<Ended> {
    if let Ok(case) = env::var(CASE) {
        thread::spawn(|| {
            thread::sleep(PATIENCE);
            process::exit(HANGS);
        });
        let case: usize = case.parse().expect("a number");
        work(&cases[case]);
        process::exit(RETURNED);
    }
    let test = test_of(any::type_name::<F>());
    (0..cases.len()).map(|case| run(test, case)).collect()
}

/// The name of the test whose closure is in a type's name.
fn test_of(closure: &str) -> &str {
    let (path, _) = closure.split_once("::{{closure}}").expect("a closure");
    let path = path.rsplit(['<', ' ', '&']).next().unwrap_or(path);
    path.split_once("::").expect("a crate").1
}

/// Runs one case of a test in a process of its own.
fn run(test: &str, case: usize) -> Ended {
    let program = env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .env(CASE, std::format!("{case}"))
        .output()
        .expect("this program can be run");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("running 1 test\n"), "no test is called {test}: {stdout}");
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    let status = output.status.code().unwrap_or_else(|| panic!("{}: {printed}", output.status));
    assert_ne!(status, HANGS, "{test}, case {case}: hangs; it printed:\n{printed}");
    Ended { status, printed }
}

/// Ends the machine, which runs in a process of its own.
pub(crate) fn end(status: i32) -> ! {
    assert!(env::var_os(CASE).is_some(), "only a process of its own can end ({status})");
    process::exit(status)
}

/// Shows the parent process what arrives at the other end of the serial line.
pub(super) fn show(bytes: &[u8]) {
    if env::var_os(CASE).is_some() {
        let _ = std::io::stderr().write_all(bytes);
    }
}
