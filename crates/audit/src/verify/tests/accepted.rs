//! What a log that nobody touched is said to be.

use super::super::verify;
use super::*;

#[test]
fn an_untouched_log_is_accepted_with_a_key_and_without() {
    let directory = thousand(Some(key()));
    let verified = with_key(&directory).unwrap();
    assert_eq!((verified.records, verified.first, verified.last, verified.segments), (1_000, 1, 1_000, 5));
    assert_eq!((verified.sealed_through, verified.unsealed_tail, verified.signatures), (1_000, 0, 5));
    assert_eq!((&*verified.origin, verified.keys), ("log", vec![key().verifier().to_string()]));
    let last = lines(&directory.path().join(segment_name(801))).pop().unwrap();
    assert!(String::from_utf8(last).unwrap().contains(&verified.head));

    let unchecked = verify(directory.path()).unwrap();
    assert_eq!((unchecked.records, unchecked.sealed_through, unchecked.signatures), (1_000, 1_000, 0));
}

#[test]
fn what_no_checkpoint_covers_is_said() {
    let mut maker = Maker::new(Some(key()));
    maker.records(5);
    fs::write(maker.path(CHECKPOINT), maker.note().unwrap()).unwrap();
    maker.records(3);
    maker.write();
    let verified = with_key(&maker.directory).unwrap();
    assert_eq!((verified.records, verified.sealed_through, verified.unsealed_tail), (9, 6, 3));
}

#[test]
fn a_log_without_a_key_is_accepted_as_wholly_unsealed() {
    let directory = thousand(None);
    let verified = verify(directory.path()).unwrap();
    assert_eq!((verified.sealed_through, verified.unsealed_tail), (0, 1_000));
    assert_eq!(verified.keys, Vec::<String>::new());
    assert_eq!(found(with_key(&directory)), (CHECKPOINT.to_owned(), None, Finding::Unsigned));
}

#[test]
fn dropped_events_are_counted_from_the_log() {
    let mut maker = Maker::new(None);
    for count in [3, 4] {
        maker.push(&format!(r#"{TIME},"event":"records_dropped","count":{count},"reason":"queue_full""#));
    }
    assert_eq!(verify(maker.close().path()).unwrap().dropped, 7);
}

#[test]
fn openings_and_ends_are_counted_and_what_has_no_end_was_broken_off() {
    let opened = |previous_end: &str| {
        format!(
            r#"{TIME},"event":"trail_opened","host":null,"application":null,"version":null,"process_id":7,"library_version":"1","previous_end":"{previous_end}","dropped_bytes":0"#
        )
    };
    let closed = format!(r#"{TIME},"event":"trail_closed""#);
    for (told, expected) in [
        ("", (0, 0, 0, false)),
        ("none", (1, 0, 0, true)),
        ("none closed", (1, 1, 0, false)),
        ("none closed clean", (2, 1, 0, true)),
        ("none broken_off closed", (2, 1, 1, false)),
        ("none closed clean broken_off closed clean closed", (4, 3, 1, false)),
        // What was begun and broken off before its first record, only the next can tell.
        ("none closed broken_off closed", (2, 2, 1, false)),
        // What nobody closed was broken off, whatever the next says of it.
        ("none clean", (2, 0, 1, true)),
        ("none in_words_of_a_later_version", (2, 0, 1, true)),
        ("unknown closed", (1, 1, 0, false)),
    ] {
        let mut maker = Maker::new(None);
        for what in told.split_whitespace() {
            maker.push(&if what == "closed" { closed.clone() } else { opened(what) });
        }
        let verified = verify(maker.close().path()).unwrap();
        let runs = (verified.opened, verified.closed, verified.broken_off, verified.is_open);
        assert_eq!(runs, expected, "{told}");
    }
}

#[test]
fn a_torn_last_record_is_unfinished_and_not_tampering() {
    let mut maker = Maker::new(Some(key()));
    maker.records(3);
    fs::write(maker.path(CHECKPOINT), maker.note().unwrap()).unwrap();
    maker.records(1);
    maker.lines.truncate(maker.lines.len() - 1);
    maker.write();
    let verified = with_key(&maker.directory).unwrap();
    assert_eq!((verified.records, verified.unsealed_tail), (4, 0));
    assert!(verified.unfinished > 200, "{verified:?}");
}

#[test]
fn a_segment_without_a_record_leaves_the_one_before_the_last() {
    for torn in [&b""[..], b"{\"seq\":7,"] {
        let mut maker = Maker::new(Some(key()));
        maker.records(5);
        fs::write(maker.path(CHECKPOINT), maker.note().unwrap()).unwrap();
        maker.rotate();
        maker.lines = torn.to_vec();
        maker.write();
        let verified = with_key(&maker.directory).unwrap();
        assert_eq!((verified.records, verified.segments), (6, 1));
        assert_eq!(verified.unfinished, torn.len() as u64);
    }
}

#[test]
fn archived_segments_may_be_missing_only_where_that_is_said() {
    let directory = thousand(Some(key()));
    for first in [1, 201] {
        fs::remove_file(directory.path().join(segment_name(first))).unwrap();
    }
    assert_eq!(found(with_key(&directory)), (segment_name(401), Some(1), Finding::Archived(400)));
    let verification = Verification::of(directory.path()).with_key(key().verifier()).allowing_archived();
    let verified = verification.run().unwrap();
    assert_eq!((verified.records, verified.first, verified.last), (600, 401, 1_000));
    assert_eq!((verified.sealed_through, verified.unsealed_tail), (1_000, 0));
}

#[test]
fn after_a_fault_a_segment_may_begin_before_the_one_before_it_ends() {
    let verified = |reason: &str, torn: bool| {
        let mut maker = Maker::new(Some(key()));
        maker.records(9);
        let (head, tree) = (maker.head, maker.tree.clone());
        maker.records(3);
        if torn {
            maker.lines.extend_from_slice(b"\0\0\0");
        }
        maker.write();
        (maker.head, maker.tree) = (head, tree);
        maker.open(reason);
        maker.records(2);
        with_key(&maker.close())
    };
    for torn in [false, true] {
        let verified = verified("fault", torn).unwrap();
        assert_eq!((verified.records, verified.superseded, verified.segments), (13, 3, 2));
    }
    assert_eq!(found(verified("rotated", false)), (segment_name(11), Some(11), Finding::Overlap));
}

#[test]
fn a_log_can_get_a_key_but_not_lose_it() {
    let mut maker = Maker::new(None);
    maker.records(5);
    maker.write();
    maker.key = Some(key());
    maker.open("rotated");
    maker.records(5);
    maker.rotate();
    fs::write(maker.path(CHECKPOINT), maker.note().unwrap()).unwrap();
    maker.write();
    assert_eq!(with_key(&maker.directory).unwrap().sealed_through, 13);

    maker.key = None;
    maker.open("rotated");
    maker.write();
    assert_eq!(found(with_key(&maker.directory)).2, Finding::Key(None));
}

/// A log whose key was changed, after a segment that `sealer` sealed.
fn of_two_keys(sealer: &SigningKey) -> TempDir {
    let mut maker = Maker::new(Some(key()));
    maker.write();
    maker.key = Some(sealer.clone());
    fs::write(maker.path(&seal_name(1)), maker.note().unwrap()).unwrap();
    maker.key = Some(other_key());
    maker.open("reopened");
    maker.records(3);
    maker.close()
}

fn other_key() -> SigningKey {
    SigningKey::from_seed("log", [2; 32]).unwrap()
}

#[test]
fn a_log_whose_key_was_changed_is_verified_with_both_and_names_the_one_that_lacks() {
    let texts = [key(), other_key()].map(|key| key.verifier().to_string());
    // The writer of the first key seals its segment, or the one that takes over does.
    for sealer in [key(), other_key()] {
        let directory = of_two_keys(&sealer);
        let verified = verify(directory.path()).unwrap();
        assert_eq!(verified.keys, texts);
        let old = Verification::of(directory.path()).with_key(key().verifier());
        let new = Verification::of(directory.path()).with_key(other_key().verifier());
        let verified = old.clone().with_key(other_key().verifier()).run().unwrap();
        assert_eq!((verified.sealed_through, verified.signatures), (5, 2));
        assert!(new.clone().with_key(key().verifier()).run().is_ok(), "in any order");
        assert_eq!(found(old.run()), (segment_name(2), Some(2), Finding::Key(Some(texts[1].clone()))));
        assert_eq!(found(new.run()), (segment_name(1), Some(1), Finding::Key(Some(texts[0].clone()))));
    }
    let third = of_two_keys(&SigningKey::from_seed("log", [3; 32]).unwrap());
    let both = Verification::of(third.path()).with_key(key().verifier()).with_key(other_key().verifier());
    let (file, _, finding) = found(both.run());
    assert!(file == seal_name(1) && matches!(finding, Finding::Note(_)), "{finding}");
}

#[test]
fn a_key_that_was_given_up_signs_nothing_of_its_successor() {
    let both = |directory: &TempDir| {
        Verification::of(directory.path()).with_key(key().verifier()).with_key(other_key().verifier()).run()
    };
    let directory = of_two_keys(&key());
    assert!(both(&directory).is_ok(), "the control");
    let checkpoint = fs::read_to_string(directory.path().join(CHECKPOINT)).unwrap();
    let checkpoint = Checkpoint::open(&checkpoint, &other_key().verifier()).unwrap();
    let signed = Finding::OtherKey(key().verifier().to_string());
    fs::write(directory.path().join(CHECKPOINT), checkpoint.sign(&key())).unwrap();
    assert_eq!(found(both(&directory)), (CHECKPOINT.to_owned(), None, signed.clone()));

    let mut maker = Maker::new(Some(other_key()));
    maker.records(3);
    maker.key = Some(key());
    let seal = maker.note().unwrap();
    maker.key = Some(other_key());
    maker.rotate();
    fs::write(maker.path(&seal_name(1)), seal).unwrap();
    assert_eq!(found(both(&maker.close())), (seal_name(1), None, signed));
}

#[test]
fn the_checkpoint_before_the_first_record_is_of_the_log_too() {
    let made = |first: bool| {
        let mut maker = Maker::new(Some(key()));
        if !first {
            maker.records(4);
            maker.write();
            fs::remove_file(maker.path(&segment_name(1))).unwrap();
        }
        let before = if first {
            Checkpoint {
                origin: "log".to_owned(),
                size: 0,
                root: Frontier::new().root().0,
                head: Hash::NONE.0,
            }
            .sign(&key())
        } else {
            maker.note().unwrap()
        };
        fs::write(maker.path(CHECKPOINT), before).unwrap();
        if !first {
            maker.open("fault");
        }
        maker.write();
        maker.directory
    };
    for (first, sealed) in [(true, 0), (false, 5)] {
        let directory = made(first);
        let verification =
            || Verification::of(directory.path()).with_key(key().verifier()).allowing_archived();
        let verified = verification().run().unwrap();
        assert_eq!((verified.sealed_through, verified.unsealed_tail), (sealed, 1));
        let other = Checkpoint { origin: "log".to_owned(), size: sealed, root: [1; 32], head: [1; 32] };
        fs::write(directory.path().join(CHECKPOINT), other.sign(&key())).unwrap();
        assert_eq!(found(verification().run()).2, Finding::Rewritten(sealed));
    }
}

#[test]
fn files_of_others_are_named_and_links_are_refused() {
    let directory = thousand(Some(key()));
    for name in ["notes.txt", "lock", "reserve", "1.jsonl", "00000000000000000001.jsonl.gz"] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let verified = with_key(&directory).unwrap();
    assert_eq!(verified.foreign, ["00000000000000000001.jsonl.gz", "1.jsonl", "notes.txt"]);
    #[cfg(unix)]
    {
        let segment = directory.path().join(segment_name(801));
        let moved = directory.path().join("moved");
        fs::rename(&segment, &moved).unwrap();
        std::os::unix::fs::symlink(&moved, &segment).unwrap();
        assert_eq!(found(with_key(&directory)), (segment_name(801), None, Finding::NotAFile));
    }
}

#[test]
fn a_directory_without_a_log_is_told_apart_from_a_bad_one() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(with_key(&directory), Err(VerifyError::NoLog(_))));
    let missing = directory.path().join("missing");
    assert!(matches!(verify(&missing), Err(VerifyError::Unreadable { .. })));
}

#[test]
fn the_keys_that_a_log_names_are_told_up_to_a_few() {
    let mut maker = Maker::new(None);
    for number in 0..40 {
        maker.key = Some(SigningKey::from_seed("log", [number; 32]).unwrap());
        maker.rotate();
    }
    let verified = verify(maker.close().path()).unwrap();
    assert_eq!((verified.keys.len(), verified.segments), (16, 41));
}
