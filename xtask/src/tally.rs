//! The count of tests, as their runners report it line by line.

use std::fmt;

use crate::failure::Failure;

/// How many tests passed, failed and were ignored. Shown as `N passed, N failed`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    ignored_names: Vec<String>,
}

impl Tally {
    /// Takes in one line that `cargo test` wrote; lines that count nothing change nothing.
    pub(crate) fn read_cargo_line(&mut self, line: &str) {
        if let Some(name) = ignored_test(line) {
            self.ignored_names.push(name.to_owned());
        }
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|result| result.split_once(". ")) else {
            return;
        };
        for count in counts.split("; ") {
            match count.split_once(' ').map(|(number, what)| (number.parse::<u64>(), what)) {
                Some((Ok(number), "passed")) => self.passed += number,
                Some((Ok(number), "failed")) => self.failed += number,
                Some((Ok(number), "ignored")) => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Takes in one line that pytest wrote with `-ra`.
    pub(crate) fn read_pytest_line(&mut self, line: &str) {
        if let Some(name) = ["SKIPPED ", "XFAIL "].iter().find_map(|word| line.strip_prefix(word)) {
            self.ignored_names.push(name.to_owned());
        }
        let Some((counts, _)) = line.trim_matches(['=', ' ']).rsplit_once(" in ") else { return };
        let count = |count: &str| {
            let (number, what) = count.split_once(' ')?;
            Some((number.parse::<u64>().ok()?, what.to_owned()))
        };
        let Some(counts) = counts.split(", ").map(count).collect::<Option<Vec<_>>>() else { return };
        for (number, what) in counts {
            match &*what {
                "passed" => self.passed += number,
                "failed" | "error" | "errors" | "xpassed" => self.failed += number,
                "skipped" | "xfailed" | "deselected" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Whether the count is good: some tests passed, and none failed or was ignored.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        let mut failures = Vec::new();
        if self.failed > 0 {
            failures.push(Failure::new(format!("Tests that failed: {}; the output above names them.", self.failed)));
        }
        if self.ignored > 0 {
            failures.push(Failure::new(format!(
                "Tests that are ignored: {}. An ignored test is a defect; make each run, or remove it:\n  {}",
                self.ignored,
                self.ignored_names.join("\n  ")
            )));
        }
        if self.passed == 0 {
            failures.push(Failure::new("No test passed, so nothing was tested."));
        }
        Failure::gather(failures)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The name in `test NAME ... ignored` or `test NAME ... ignored, REASON`.
fn ignored_test(line: &str) -> Option<&str> {
    let (name, end) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    (end == "ignored" || end.starts_with("ignored, ")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read_cargo_line(line));
        tally
    }

    #[test]
    fn the_counts_of_all_binaries_are_summed() {
        let tally = tally(
            "running 2 tests\n\
             test a ... ok\n\
             test b ... ok\n\
             \n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             test result: FAILED. 10 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n",
        );
        assert_eq!(tally.to_string(), "12 passed, 3 failed");
        assert_eq!(tally.verdict().unwrap_err().to_string(), "Tests that failed: 3; the output above names them.");
    }

    #[test]
    fn a_good_count_is_accepted() {
        let tally = tally("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        assert!(tally.verdict().is_ok());
        assert_eq!(tally.to_string(), "2 passed, 0 failed");
    }

    #[test]
    fn each_ignored_test_is_named() {
        let tally = tally(
            "test store::slow ... ignored, takes an hour\n\
             test crates/scupper/src/lib.rs - rate::Rate (line 12) ... ignored\n\
             test store::quick ... ok\n\
             test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        );
        let error = tally.verdict().unwrap_err().to_string();
        assert!(error.starts_with("Tests that are ignored: 2."), "{error}");
        assert!(error.contains("\n  store::slow\n  crates/scupper/src/lib.rs - rate::Rate (line 12)"), "{error}");
    }

    #[test]
    fn a_run_without_tests_is_refused() {
        let tally = tally("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(tally.verdict().unwrap_err().to_string(), "No test passed, so nothing was tested.");
    }

    fn pytest_tally(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read_pytest_line(line));
        tally
    }

    #[test]
    fn the_counts_of_pytest_are_added() {
        let mut tally = tally("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        tally.read_pytest_line("26 passed, 1 warning in 6.11s");
        assert_eq!(tally.to_string(), "28 passed, 0 failed");
        tally.read_pytest_line("==== 2 failed, 3 passed, 1 error in 61.02s (0:01:01) ====");
        assert_eq!(tally.to_string(), "31 passed, 3 failed");
    }

    #[test]
    fn what_pytest_skips_is_ignored_and_named() {
        let tally = pytest_tally(
            "SKIPPED [1] python/tests/test_a.py:3: no server\n1 passed, 1 skipped, 1 xfailed, 1 deselected in 0.02s",
        );
        let error = tally.verdict().unwrap_err().to_string();
        assert!(error.starts_with("Tests that are ignored: 3."), "{error}");
        assert!(error.contains("\n  [1] python/tests/test_a.py:3: no server"), "{error}");
    }

    #[test]
    fn other_lines_of_pytest_count_nothing() {
        assert_eq!(pytest_tally("..... [100%]\nFAILED test_a.py::test - 3 passed in vain\n3 in 1s"), Tally::default());
    }

    #[test]
    fn what_a_test_prints_counts_nothing() {
        assert_eq!(
            tally("5 passed; 3 failed\nthe test result: ok. 1 passed; 0 failed\ntest x - should panic ... ok"),
            Tally::default()
        );
    }
}
