//! Flags by name, from a configuration file that holds no secret.

use serde_json::json;

use super::*;

fn configured(desk: &Desk, gateway: &Gateway, secret: &str) {
    let Gateway { address, .. } = gateway;
    desk.put(
        "config.toml",
        &format!(
            "[profile.work]\ndialect = 'genesys'\nurl = 'ws://{address}/ws'\ntoken_url = 'http://{address}/oauth/token'\n\
             client-id = 'abc'\nclient-secret = {secret}\nrequire-scope = ['user:read']\nscope = ['user:read', 'conversation:read']\n\
             for = 1\nsend = ['from the profile']\n"
        ),
    );
}

fn message(text: &str) -> Value {
    json!({"event": "message", "text": text})
}

#[test]
fn a_profile_serves_a_session_and_a_token_alike() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    configured(&desk, &gateway, "{ file = 'secret.txt' }");
    // Files are relative to the configuration, wherever the command runs.
    let config = desk.path("config.toml");
    let elsewhere = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let mut command = desk.command(words);
        command.args(["--profile", "work", "--config"]).arg(&config).current_dir(elsewhere.path());
        lines(&command.output().unwrap(), 0)
    };
    assert!(run(&["connect", "--json"]).contains(&message("from the profile")));
    assert_eq!(run(&["token", "--json"])[0]["scope"], "user:read conversation:read");
}

#[test]
fn flags_win_over_the_profile() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    configured(&desk, &gateway, "{ file = 'wrong.txt' }");
    let profile = ["connect", "--config=config.toml", "--profile=work", "--json"];
    let flags = ["--client-secret-file", "secret.txt", "--send", "mine"];
    let told = lines(&desk.run(&[&profile[..], &flags].concat()), 0);
    assert!(told.contains(&message("mine")) && !told.contains(&message("from the profile")), "{told:?}");
    let own = ["--dialect-file", "mine.toml", "--client-secret-file", "secret.txt"];
    desk.put("mine.toml", &String::from_utf8(desk.run(&["dialects", "genesys"]).stdout).unwrap());
    lines(&desk.run(&[&profile[..], &own].concat()), 0);
    // Without them, it is what the profile says.
    lines(&desk.run(&profile), 3);
}

#[test]
fn another_source_takes_the_place_of_the_profiles_as_a_whole() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    configured(&desk, &gateway, "{ file = 'secret.txt' }");
    let work = ["--config=config.toml", "--profile=work", "--json"];
    let token = |flags: &[&str]| lines(&desk.run(&[&["token"], &work[..], flags].concat()), 0).remove(0);
    let known = token(&[])["token"].clone();
    desk.put("token.txt", known.as_str().unwrap());
    for flags in [&["--source", "static", "--token-file", "token.txt"][..], &["--token-file", "token.txt"]] {
        assert_eq!(token(flags)["token"], known, "{flags:?}");
        let told = lines(&desk.run(&[&["connect"], &work[..], flags].concat()), 0);
        assert!(told.contains(&message("from the profile")), "the rest of it counts: {told:?}");
    }
    // The other way round, all of the source is said anew.
    let url = format!("http://{}/oauth/token", gateway.address);
    desk.put("config.toml", "[profile.work]\nsource = 'static'\ntoken = { file = 'none.txt' }\n");
    let oauth = ["--token-url", &url, "--client-id", "abc", "--client-secret-file", "secret.txt"];
    let stderr = failed(&desk.run(&[&["token"], &work[..], &oauth].concat()), 2);
    assert!(stderr.contains("say --source oauth"), "whose a client's secret is, nothing says: {stderr}");
    assert!(token(&[&oauth[..], &["--source", "oauth"]].concat())["token"].is_string());
    let stderr = failed(&desk.run(&[&["token"], &work[..], &["--source=ably"]].concat()), 2);
    assert!(stderr.contains("needs an API key"), "{stderr}");
}

#[test]
fn a_secret_comes_from_the_environment_by_its_name() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    configured(&desk, &gateway, "{ env = 'WORK_SECRET' }");
    let words = ["connect", "--profile", "work", "--config", "config.toml", "--json"];
    let output = desk.command(&words).env("WORK_SECRET", "canary-of-abc").output().unwrap();
    assert!(lines(&output, 0).contains(&message("from the profile")));
    let stderr = failed(&desk.run(&words), 2);
    assert!(stderr.contains("the environment variable WORK_SECRET is not set"), "{stderr}");
}

/// The system's own program is asked, here one that answers like it.
#[cfg(unix)]
#[test]
fn a_secret_comes_from_the_keyring() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    configured(&desk, &gateway, "{ keyring = { service = 'rtauth', user = 'me' } }");
    let words = ["connect", "--profile", "work", "--config", "config.toml", "--json"];
    // A secret of another system, which is none of the keyring's business.
    let with_path = |path: &str| {
        let mut command = desk.command(&words);
        command.env("PATH", path).env("RTAUTH_ABLY_KEY", "canary-of-ably").output().unwrap()
    };
    let stderr = failed(&with_path("/nowhere"), 2);
    assert!(stderr.contains("the keyring can't be asked: there is no "), "{stderr}");
    if cfg!(target_os = "macos") {
        return;
    }
    fs::create_dir(desk.path("bin")).unwrap();
    let program = desk.path("bin/secret-tool");
    let script =
        "#!/bin/sh\nenv >seen\n[ \"$*\" = 'lookup service rtauth username me' ] && printf canary-of-abc\n";
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:/bin:/usr/bin", desk.path("bin").display());
    assert!(lines(&with_path(&path), 0).contains(&message("from the profile")));
    let seen = fs::read_to_string(desk.path("seen")).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains("canary"), "{seen}");
    // A keyring that is locked asks a person who is not there.
    fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
    let asked = ["token", "--profile", "work", "--config", "config.toml", "--timeout", "1"];
    let stderr = failed(&desk.command(&asked).env("PATH", &path).output().unwrap(), 4);
    assert!(
        stderr.contains("the profile's client-secret: the keyring has not answered in 1 s; it may be locked"),
        "{stderr}"
    );
    fs::write(&program, script).unwrap();
    let config = fs::read_to_string(desk.path("config.toml")).unwrap();
    desk.put("config.toml", &config.replace("'me'", "'you'"));
    let stderr = failed(&with_path(&path), 2);
    assert!(
        stderr.contains("has no secret of you for rtauth") && stderr.contains("secret-tool store"),
        "{stderr}"
    );
}

#[test]
fn the_file_is_where_configurations_are() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    configured(&desk, &gateway, "{ file = 'secret.txt' }");
    for folder in [".config/rtauth", "other/rtauth"] {
        fs::create_dir_all(desk.path(folder)).unwrap();
        for name in ["config.toml", "secret.txt"] {
            fs::copy(desk.path(name), desk.path(folder).join(name)).unwrap();
        }
    }
    let words = ["token", "--profile", "work", "--json"];
    lines(&desk.run(&words), 0);
    fs::remove_dir_all(desk.path(".config")).unwrap();
    assert!(failed(&desk.run(&words), 2).contains(".config/rtauth/config.toml: there is no such file"));
    let output = desk.command(&words).env("XDG_CONFIG_HOME", desk.path("other")).output().unwrap();
    lines(&output, 0);
}

#[test]
fn a_profile_that_can_not_be_is_named_and_no_secret_is_shown() {
    let desk = Desk::new();
    let literal = "is a secret, which does not stand here";
    for (text, expected) in [
        ("client-secret = 'canary'", literal),
        ("client_secret = 'canary'", literal),
        ("key = 'canary'", literal),
        ("password = ['canary']", "which does not stand here"),
        ("client-secret = { value = 'canary' }", "\"client-secret\" is a secret; name its place"),
        ("client-secret = { env = 'A', file = 'canary' }", "name its place"),
        ("header = ['Authorization: canary']", "the value of authorization is a secret"),
        ("ws-header = ['Cookie: canary']", "the value of cookie is a secret"),
        ("header-file = { Cookie = 5 }", literal),
        ("header-file = ['canary']", "has names and files"),
        ("ws-header-file = { Cookie = 5 }", literal),
        ("ws-header-file = ['canary']", "has names and files"),
        ("client-secret = canary", "line 2 is wrong"),
        ("urll = 'a'", "\"urll\" is no flag of rtauth connect or rtauth token"),
        ("profile = 'a'", "\"profile\" is no flag"),
        ("url = ['a', 'b']", "\"url\" has one value"),
        ("dpop = 'yes'", "\"dpop\" is true or false"),
        ("url = { a = 1 }", "\"url\" is a text, a number"),
        ("[profile.other]\n[more]\na = 1", "\"more\" is unknown"),
        ("source = 'nothing'", "invalid value 'nothing'"),
        ("source = 'nothing'", "rtauth: --source stands in [profile.work] of config.toml"),
        ("for = 'x'", "rtauth: --for stands in [profile.work] of config.toml"),
        (
            "dialect = 'genesys'\nurl = 'ws://127.0.0.1:1'\ntoken-url = 'http://127.0.0.1:1'\nclient-id = 'a'\nclient-secret = { env = 'NOBODY_SETS_THIS' }",
            "the profile's client-secret: the environment variable NOBODY_SETS_THIS is not set",
        ),
    ] {
        desk.put("config.toml", &format!("[profile.work]\n{text}\n"));
        let stderr = failed(&desk.run(&["connect", "--profile", "work", "--config", "config.toml"]), 2);
        assert!(stderr.contains(expected), "{text}\n{expected}\n{stderr}");
    }
    desk.put("config.toml", "[profile.a]\n[profile.b]\n");
    let stderr = failed(&desk.run(&["token", "--profile", "work", "--config", "config.toml"]), 2);
    assert!(stderr.contains("there is no profile \"work\"; it has a, b"), "{stderr}");
    desk.put("config.toml", "");
    let stderr = failed(&desk.run(&["token", "--profile", "work", "--config", "config.toml"]), 2);
    assert!(stderr.contains("add a table [profile.NAME]"), "{stderr}");
    // Help is to be had whatever the file says.
    assert_eq!(desk.run(&["token", "--profile", "work", "--help"]).status.code(), Some(0));
}
