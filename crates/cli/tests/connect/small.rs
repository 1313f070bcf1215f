//! What goes with sessions: the list of dialects, and completions.

use super::*;

fn printed(desk: &Desk, arguments: &[&str]) -> String {
    let output = desk.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn dialects_are_listed_in_a_line_each_and_printed_by_name() {
    let desk = Desk::new();
    let list = printed(&desk, &["dialects"]);
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    let names: Vec<_> = list.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(names.is_sorted() && names.contains(&"genesys") && names.contains(&"optave"), "{list}");
    let line = |name: &str| list.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    assert!(line("genesys").contains("in the first message") && line("genesys").contains("in band"));
    assert!(line("optave").contains("as a subprotocol, once"));
    assert!(line("bearer-query").contains("in the query"));
    for name in names {
        let toml = printed(&desk, &["dialects", name]);
        assert!(toml.starts_with(&format!("name = \"{name}\"\n")), "{toml}");
        let as_json: Value = serde_json::from_str(&printed(&desk, &["dialects", name, "--json"])).unwrap();
        assert_eq!(as_json["toml"].as_str().unwrap().trim_end(), toml.trim_end());
    }
    for line in printed(&desk, &["dialects", "--json"]).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["token"].is_string() && line["once"].is_boolean(), "{line}");
    }
    let stderr = failed(&desk.run(&["dialects", "nothing"]), 2);
    assert!(stderr.contains("[possible values: ably, "), "{stderr}");
}

#[test]
fn each_shell_gets_completions() {
    let desk = Desk::new();
    for (shell, sign) in [
        ("bash", "complete -F _rtauth"),
        ("zsh", "#compdef rtauth"),
        ("fish", "complete -c rtauth"),
        ("elvish", "edit:completion:arg-completer[rtauth]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = printed(&desk, &["completions", shell]);
        assert!(script.contains(sign) && script.contains("client-secret-file"), "{shell}");
    }
    assert!(failed(&desk.run(&["completions", "dos"]), 2).contains("[possible values: bash"));
}

/// The shell itself takes it.
#[cfg(unix)]
#[test]
fn bash_completes_the_flags_of_a_session_and_the_names_of_dialects() {
    let desk = Desk::new();
    if Command::new("bash").arg("--version").output().is_err() {
        return;
    }
    desk.put("rtauth.bash", &printed(&desk, &["completions", "bash"]));
    for (words, word, before, expected) in [
        ("rtauth connect --dial", "--dial", "connect", "--dialect --dialect-file"),
        ("rtauth connect --dialect gene", "gene", "--dialect", "genesys genesys-notifications"),
        ("rtauth dialects opt", "opt", "dialects", "optave optave-query"),
    ] {
        let script = format!(
            "source rtauth.bash; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _rtauth rtauth {word} {before}; echo \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash").current_dir(desk.0.path()).args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), expected, "{words}");
    }
}
