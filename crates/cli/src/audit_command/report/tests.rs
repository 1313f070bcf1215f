//! The page as a whole: that it counts what the log has, escapes what strangers wrote, and stays small.

use super::*;

/// An entry of a log, from its members after the time.
fn entry(sequence: u64, second: u64, members: &str) -> Entry {
    let at = Timestamp::from_millis(1_795_323_600_000 + second * 1_000);
    serde_json::from_str(&format!(r#"{{"seq":{sequence},"time":"{at}",{members}}}"#)).unwrap()
}

fn standing() -> Standing {
    let claims = vec![Claim { tone: Tone::Good, text: "the chain is whole".to_owned() }];
    Standing { name: "audit".to_owned(), headline: "Whole".to_owned(), tone: Tone::Good, claims }
}

fn page_of(entries: impl IntoIterator<Item = Entry>) -> String {
    let mut report = Report::new();
    entries.into_iter().for_each(|entry| report.take(&entry));
    report.page(&standing())
}

const HOSTILE: &str = r#"</script><img src=x onerror=\"alert(1)\"><svg onload='alert(2)'>"#;

#[test]
fn what_strangers_wrote_makes_no_element_wherever_it_stands() {
    let named = format!(r#""session":"{HOSTILE}","#);
    let events = [
        r#""event":"connecting","connection":1,"failures":0"#.to_owned(),
        format!(
            r#""event":"authenticated","connection":1,"token":null,"session_id":"{HOSTILE}","latency_ms":80"#
        ),
        format!(
            r#""event":"connection_lost","connection":1,"reason":"{HOSTILE}","code":4000,"lasted_ms":5,"retry_in_ms":9"#
        ),
        format!(
            r#""event":"client_rejected","connection":1,"dialect":"{HOSTILE}","reason":"{HOSTILE}","code":401,"token":null,"peer":null"#
        ),
        format!(
            r#""event":"segment_opened","origin":"{HOSTILE}","reason":"fault","first":5,"peaks":[],"verifier_key":"{HOSTILE}""#
        ),
    ];
    let entries = (1..).zip(events).map(|(number, event)| entry(number, number, &format!("{named}{event}")));
    let mut report = Report::new();
    entries.for_each(|entry| report.take(&entry));
    let hostile = HOSTILE.replace('\\', "");
    let claims = vec![Claim { tone: Tone::Bad, text: hostile.clone() }];
    let standing = Standing { name: hostile.clone(), headline: hostile.clone(), tone: Tone::Bad, claims };
    let page = report.page(&standing);
    assert!(!page.contains("<img") && !page.contains("<svg onload"), "an element of a stranger's");
    assert_eq!(page.matches("</script>").count(), 1, "the page's own");
    let places = page.matches("&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;").count();
    assert!(places > 10, "the control: it is there, {places} times");
}

#[test]
fn the_page_counts_what_the_log_has() {
    let dropped = r#""event":"records_dropped","count":7,"reason":"queue_full""#;
    let limited = r#""session":"a","event":"rate_limited","attempt":1,"retry_after_ms":1000,"retry_in_ms":1000,"valid_for_ms":null"#;
    let page = page_of(
        (1..=1_200).map(|number| entry(number, number, if number % 400 == 0 { dropped } else { limited })),
    );
    let body = r#"data-records="1200" data-sessions="1" data-failures="1200" data-missing="21""#;
    assert!(page.contains(body), "{}", &page[page.find("<body").unwrap()..][..200]);
    assert!(page.contains(r#"<dd data-count="records">1,200</dd>"#));
    assert!(page.contains(r#"<dd data-event="rate_limited">1,197</dd>"#));
    assert!(page.contains("303 of 1,200"), "the table says what it leaves out");
}

#[test]
fn that_the_log_was_broken_off_needs_a_look_and_an_opening_after_a_clean_end_does_not() {
    let opened = |end: &str| {
        let opened = format!(
            r#""event":"trail_opened","host":"gw-1","application":"gateway","version":"1.2","process_id":7,"library_version":"1","previous_end":"{end}","dropped_bytes":9"#
        );
        page_of([entry(1, 1, &opened)])
    };
    let page = opened("broken_off");
    assert!(page.contains("What happened to the log") && page.contains("previous end broken off"), "{page}");
    assert!(page.contains("1 event that tells of trouble"));
    let page = opened("clean");
    assert!(
        !page.contains("What happened to the log") && page.contains("no event of this log tells of trouble")
    );
}

#[test]
fn a_long_log_makes_a_page_that_is_hardly_larger() {
    let events = [
        r#""event":"connecting","connection":1,"failures":0"#,
        r#""event":"authenticated","connection":1,"token":null,"session_id":null,"latency_ms":80"#,
        r#""event":"token_issued","token":"0123456789abcdef","generation":1,"expires_in_ms":900,"renews_in_ms":700,"took_ms":35"#,
        r#""event":"connection_lost","connection":1,"reason":"gone","code":null,"lasted_ms":5,"retry_in_ms":9"#,
        r#""event":"session_failed","reason":"no","code":null"#,
    ];
    let entries = (1..=100_000_u64).map(|number| {
        let event = events[(number / 97 % 5) as usize];
        entry(number, number, &format!(r#""session":"s{}",{event}"#, number % 97))
    });
    let page = page_of(entries);
    assert!(page.len() < 8_000_000, "{} bytes", page.len());
}

#[test]
fn the_browser_is_told_to_fetch_nothing_and_to_run_only_what_the_page_brings() {
    let page = page_of([entry(1, 1, r#""event":"session_closed","lasted_ms":null"#)]);
    let policy =
        page.split_once("Content-Security-Policy\" content=\"").unwrap().1.split_once('"').unwrap().0;
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for fetched in ["http:", "https:", "url(", "src=", "@import", " style=", "href=", "onclick"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
}

#[test]
fn a_log_without_records_has_a_page_too() {
    let page = page_of([]);
    assert!(page.contains("No records") && page.ends_with("</html>\n"));
}

#[test]
fn a_clock_that_runs_backwards_breaks_no_page() {
    let page =
        page_of((1..=50).map(|number| {
            entry(number, 1_000 - number, r#""event":"connecting","connection":1,"failures":0"#)
        }));
    assert!(!page.contains("NaN") && !page.contains("inf%"));
}

#[test]
fn a_flood_that_is_summed_up_in_one_record_counts_in_full() {
    let rejected = |repeated: u64| {
        format!(
            r#""event":"client_rejected","connection":1,"dialect":"d","reason":"no","code":401,"token":null,"peer":null,"repeated":{repeated}"#
        )
    };
    let page = page_of([entry(1, 1, &rejected(0)), entry(2, 2, &rejected(998))]);
    assert!(page.contains(r#"data-failures="1000""#));
    assert!(page.contains(r#"<dd data-count="rejected">1,000</dd>"#));
    assert!(page.contains("<strong>1,000</strong>"));
    let page = page_of((1..4).map(|number| entry(number, number, &rejected(u64::MAX))));
    assert!(page.contains(&format!(r#"data-failures="{}""#, u64::MAX)), "and never wraps around");
}

#[test]
fn a_kind_of_failure_that_is_known_is_counted_there_however_many_there_are() {
    let lost = |number: u64| {
        format!(
            r#""event":"connection_lost","connection":1,"reason":"kind {number}","code":null,"lasted_ms":5,"retry_in_ms":9"#
        )
    };
    let kinds = MOST_FAILURES as u64 + 50;
    let page =
        page_of((0..kinds).chain([7; 500]).zip(1..).map(|(kind, number)| entry(number, number, &lost(kind))));
    assert!(page.contains("<span>kind 7</span></div><strong>501</strong>"));
    assert!(page.contains("<span>other reasons</span></div><strong>50</strong>"));
}
