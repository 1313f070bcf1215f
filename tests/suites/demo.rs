//! The demo notices when its counterpart is broken, and names the step.

use std::process::{Command, Output};

fn play(fault: &str) -> Output {
    let binary = env!("CARGO_BIN_EXE_demo-against");
    Command::new(binary).args([fault, "--json"]).output().unwrap()
}

fn failing_step(fault: &str) -> String {
    let output = play(fault);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "failed");
    let step = last["step"].as_str().unwrap().to_owned();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&format!("step {step} did not hold")), "{stderr}");
    assert!(!stdout.contains("\"done\""));
    step
}

#[test]
fn a_counterpart_that_refuses_renewal_fails_the_renewal() {
    assert_eq!(failing_step("refuses-renewal"), "token_renewed");
}

#[test]
fn a_counterpart_that_never_answers_the_credential_fails_the_authentication() {
    assert_eq!(failing_step("never-answers"), "authenticated");
}

#[test]
fn a_counterpart_that_issues_the_same_token_again_fails_the_renewal() {
    assert_eq!(failing_step("reissues-the-same-token"), "token_renewed");
}

/// The control: the same program with nothing wrong plays to the end.
#[test]
fn a_sound_counterpart_plays_to_the_end() {
    let output = play("none");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
