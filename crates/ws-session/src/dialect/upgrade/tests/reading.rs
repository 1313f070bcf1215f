//! What the other end reads in upgrade requests, ours and others.

use proptest::prelude::*;

use super::*;

#[test]
fn the_other_end_takes_a_scheme_in_any_case_and_a_header_by_any_name() {
    let placement = header("Authorization", "Bearer ${credential}");
    let read = |value: &str| {
        let found = |name: &str| name.eq_ignore_ascii_case("authorization").then_some(value);
        placement.read("/", &|name| found(name).into_iter().collect()).0
    };
    assert_eq!(read("bearer x").unwrap().expose(), "x");
    assert_eq!(read("Bearer x").unwrap().expose(), "x");
    for other in ["Basic x", "Bearer", "Bearer ", "x", "", "Bé", "éééééééé"] {
        assert_eq!(read(other), None, "{other}");
    }
}

#[test]
fn two_credentials_in_one_place_are_none() {
    let read = |placement: &Placement, path: &str, value: &str| {
        placement.read(path, &|_| value.split_terminator('|').collect())
    };
    let in_query = query("t", "${credential}");
    assert_eq!(read(&in_query, "/?u=1&t=a&v=2", "").0.unwrap().expose(), "a");
    assert_eq!(read(&in_query, "/?t=a&t=b", "").0, None);
    assert_eq!(read(&in_query, "/?t=a+b", "").0.unwrap().expose(), "a b");
    for none in ["/", "/?", "/?t", "/?t=", "/?T=a", "/?t=%zz", "/?x=a"] {
        assert_eq!(read(&in_query, none, "").0, None, "{none}");
    }
    let in_header = header("Authorization", "Bearer ${credential}");
    assert_eq!(read(&in_header, "/", "Bearer a").0.unwrap().expose(), "a");
    assert_eq!(read(&in_header, "/", "Bearer a|Bearer b").0, None);
    let in_cookie = cookie("t", "${credential}");
    assert_eq!(read(&in_cookie, "/", "u=1; t=a;v=2").0.unwrap().expose(), "a");
    assert_eq!(read(&in_cookie, "/", "u=1|t=a").0.unwrap().expose(), "a", "as HTTP/2 cuts them");
    assert_eq!(read(&in_cookie, "/", "t=a; t=b").0, None);
    assert_eq!(read(&in_cookie, "/", "t=a|t=b").0, None);
    let kubernetes = subprotocols(vec![name("p"), entry("bearer.${credential|base64url}")]);
    assert_eq!(read(&kubernetes, "/", "q, p,bearer.YQ").0.unwrap().expose(), "a");
    assert_eq!(read(&kubernetes, "/", "p|bearer.YQ").0.unwrap().expose(), "a");
    assert_eq!(read(&kubernetes, "/", "p, bearer.YQ, bearer.Yg").0, None);
    assert_eq!(read(&kubernetes, "/", "p, bearer.YQ==").0, None);
}

#[test]
fn the_other_end_selects_the_first_offered_name_and_never_the_credential() {
    let placement = subprotocols(vec![name("a"), name("b"), entry("${credential}")]);
    let select = |offered: &str| placement.read("/", &|_| vec![offered]).1;
    assert_eq!(select("x, b, a").as_deref(), Some("b"));
    for none in ["x", "", ",", "A"] {
        assert_eq!(select(none), None, "{none}");
    }
    assert_eq!(placement.read("/", &|_| Vec::new()).1, None);
}

proptest! {
    #[test]
    fn what_is_placed_is_legal_and_read_again(
        credential in prop_oneof![any::<String>(), "[!-~]{1,20}", "[ -~]{1,20}"],
        encoding in prop_oneof![Just(""), Just("|base64"), Just("|base64url"), Just("|url"), Just("|json")],
        place in 0..4,
    ) {
        prop_assume!(!credential.is_empty() && !credential.to_lowercase().starts_with("bearer "));
        let template = format!("a.${{credential{encoding}}}");
        let placement = match place {
            0 => header("X-Key", &template),
            1 => query("the key", &template),
            2 => cookie("key", &template),
            _ => subprotocols(vec![name("p"), entry(&template)]),
        };
        // Base64url fits everywhere; for others a refusal is an answer.
        let request = match placed(placement.clone(), URL, &credential) {
            Ok(request) => request,
            Err(refused) => {
                prop_assert!(encoding != "|base64url" && (encoding != "|url" || place == 3), "{refused}");
                return Ok(());
            }
        };
        for (name, value) in request.headers() {
            prop_assert!(is_token(name) && value.expose().bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
        prop_assert!(request.subprotocols().iter().all(|entry| is_token(entry.expose())));
        prop_assert!(Address::new(request.url().expose()).is_ok());
        prop_assert_eq!(received(&placement, &request).0.unwrap(), Secret::from(credential.as_str()));
    }

    #[test]
    fn no_request_makes_the_other_end_panic(path in any::<String>(), value in any::<String>()) {
        let placement = Placement {
            headers: vec![("Authorization".to_owned(), Template::text("Bearer ${credential}"))],
            query: vec![("t".to_owned(), Template::text("${credential}"))],
            cookies: vec![("t".to_owned(), Template::text("${credential}"))],
            subprotocols: vec![name("p"), entry("x.${credential|base64url}")],
            is_url: false,
        };
        let _ = placement.read(&path, &|_| vec![&value]);
    }
}
