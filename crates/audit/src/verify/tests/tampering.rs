//! The catalogue: whatever is done to a log from outside is found, and its place is named.

use super::super::verify;
use super::*;

/// Overwrites a file of the log.
fn write(directory: &TempDir, name: &str, lines: &[Vec<u8>]) {
    fs::write(directory.path().join(name), lines.concat()).unwrap();
}

fn read(directory: &TempDir, name: &str) -> Vec<Vec<u8>> {
    lines(&directory.path().join(name))
}

/// Numbers that look random and are the same in each run (splitmix64).
fn numbers(seed: u64) -> impl FnMut() -> usize {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_at_its_record() {
    let directory = thousand(Some(key()));
    let mut number = numbers(9);
    for first in [1, 201, 401, 601, 801] {
        let path = directory.path().join(segment_name(first));
        let whole = fs::read(&path).unwrap();
        let ends: Vec<_> = (0..whole.len()).filter(|position| whole[*position] == b'\n').collect();
        let last = whole.len() - 1;
        let mut places: Vec<_> = (0..30).map(|_| number() % whole.len()).collect();
        places.extend([0, last]);
        for position in places {
            let mut changed = whole.clone();
            changed[position] ^= 1 << (number() % 8);
            fs::write(&path, &changed).unwrap();
            let (file, sequence, finding) = found(with_key(&directory));
            // Without its end, the last record of all is one that was never finished, were it not for the checkpoint.
            let cut_off = matches!(finding, Finding::CutOff { .. });
            assert_eq!(cut_off, first == 801 && position == last, "position {position}: {finding}");
            assert_eq!(file, if cut_off { CHECKPOINT.to_owned() } else { segment_name(first) });
            let record = first + ends.partition_point(|end| *end < position) as u64;
            assert_eq!(sequence, Some(record), "position {position}: {finding}");
        }
        fs::write(&path, whole).unwrap();
    }
    assert!(with_key(&directory).is_ok(), "the control");
}

#[test]
fn a_flipped_bit_in_a_seal_or_a_checkpoint_is_found_there() {
    let directory = thousand(Some(key()));
    let mut number = numbers(10);
    for name in [seal_name(1), seal_name(601), CHECKPOINT.to_owned()] {
        let path = directory.path().join(&name);
        let whole = fs::read(&path).unwrap();
        for position in (0..whole.len()).step_by(3) {
            let mut changed = whole.clone();
            changed[position] ^= 1 << (number() % 8);
            fs::write(&path, &changed).unwrap();
            let (file, _, finding) = found(with_key(&directory));
            assert!(file == name && matches!(finding, Finding::Note(_)), "position {position}: {finding}");
        }
        fs::write(&path, whole).unwrap();
    }
    assert!(with_key(&directory).is_ok(), "the control");
}

#[test]
fn a_record_removed_doubled_or_moved_is_found() {
    let directory = thousand(Some(key()));
    let segment = segment_name(401);
    let whole = read(&directory, &segment);
    let mut removed = whole.clone();
    removed.remove(50);
    let mut doubled = whole.clone();
    doubled.insert(50, whole[49].clone());
    let mut moved = whole.clone();
    moved.swap(50, 60);
    let mut foreign = whole.clone();
    foreign[50] = read(&directory, &segment_name(1))[50].clone();
    for lines in [removed, doubled, moved, foreign] {
        write(&directory, &segment, &lines);
        assert_eq!(found(with_key(&directory)), (segment.clone(), Some(451), Finding::OutOfPlace));
    }
    write(&directory, &segment, &whole);
    assert!(with_key(&directory).is_ok(), "the control");
}

#[test]
fn a_cut_is_found_in_the_middle_and_at_the_end() {
    let cut = |first: u64, keep: usize, torn: usize| {
        let directory = thousand(Some(key()));
        let mut lines = read(&directory, &segment_name(first));
        lines.truncate(keep);
        let length = lines[keep - 1].len();
        lines[keep - 1].truncate(length - torn);
        write(&directory, &segment_name(first), &lines);
        found(with_key(&directory))
    };
    let missing = Finding::Missing { from: 251, through: 400 };
    assert_eq!(cut(201, 50, 0), (segment_name(201), Some(251), missing));
    assert_eq!(cut(201, 50, 10), (segment_name(201), Some(250), Finding::Torn));
    // The last line without its end would be a whole record but for the newline.
    assert_eq!(cut(201, 200, 1), (segment_name(201), Some(400), Finding::Torn));
    let cut_off = |last| Finding::CutOff { size: 1_000, last };
    assert_eq!(cut(801, 50, 0), (CHECKPOINT.to_owned(), Some(851), cut_off(850)));
    assert_eq!(cut(801, 50, 10), (CHECKPOINT.to_owned(), Some(850), cut_off(849)));
    assert_eq!(cut(801, 200, 1), (CHECKPOINT.to_owned(), Some(1_000), cut_off(999)));
}

#[test]
fn a_removed_replaced_or_renamed_segment_is_found() {
    let other = || {
        let mut maker = Maker::new(Some(SigningKey::from_seed("log", [2; 32]).unwrap()));
        maker.records(199);
        maker.rotate();
        maker.records(199);
        maker.close()
    };
    let directory = thousand(Some(key()));
    let path = |first| directory.path().join(segment_name(first));
    let whole = fs::read(path(201)).unwrap();

    fs::remove_file(path(201)).unwrap();
    let missing = Finding::Missing { from: 201, through: 400 };
    assert_eq!(found(with_key(&directory)), (segment_name(1), Some(201), missing));

    fs::copy(other().path().join(segment_name(201)), path(201)).unwrap();
    assert_eq!(found(with_key(&directory)), (segment_name(201), Some(201), Finding::OutOfPlace));

    fs::copy(path(1), path(201)).unwrap();
    assert_eq!(found(with_key(&directory)), (segment_name(201), Some(201), Finding::OutOfPlace));

    fs::write(path(201), &whole).unwrap();
    fs::rename(path(801), path(802)).unwrap();
    let missing = Finding::Missing { from: 801, through: 801 };
    assert_eq!(found(with_key(&directory)), (segment_name(601), Some(801), missing));
    fs::remove_file(path(802)).unwrap();
    let cut_off = Finding::CutOff { size: 1_000, last: 800 };
    assert_eq!(found(with_key(&directory)), (CHECKPOINT.to_owned(), Some(801), cut_off));
}

#[test]
fn a_segment_that_is_put_in_or_added_to_is_found() {
    let directory = thousand(Some(key()));
    let path = |first| directory.path().join(segment_name(first));
    let old = fs::read(path(601)).unwrap();
    fs::write(path(1_001), &old).unwrap();
    assert_eq!(found(with_key(&directory)), (segment_name(1_001), Some(1_001), Finding::OutOfPlace));
    fs::remove_file(path(1_001)).unwrap();

    // Two segments in one file.
    let last = fs::read(path(801)).unwrap();
    fs::write(path(601), [old, last].concat()).unwrap();
    let (file, sequence, finding) = found(with_key(&directory));
    assert_eq!((file, sequence, finding), (segment_name(801), Some(801), Finding::Overlap));
    fs::remove_file(path(801)).unwrap();
    assert_eq!(found(with_key(&directory)), (segment_name(601), Some(801), Finding::HeaderAmid));
}

#[test]
fn a_removed_or_foreign_seal_is_found() {
    let directory = thousand(Some(key()));
    let path = |first| directory.path().join(seal_name(first));
    let seal = fs::read(path(401)).unwrap();

    fs::remove_file(path(401)).unwrap();
    assert_eq!(found(with_key(&directory)), (segment_name(401), None, Finding::Unsealed));
    let without_key = verify(directory.path());
    assert_eq!(found(without_key), (segment_name(401), None, Finding::Unsealed));

    fs::copy(path(201), path(401)).unwrap();
    assert_eq!(found(with_key(&directory)), (segment_name(401), Some(401), Finding::Added(400)));
    fs::copy(path(601), path(401)).unwrap();
    let cut_off = Finding::CutOff { size: 800, last: 600 };
    assert_eq!(found(with_key(&directory)), (segment_name(401), Some(601), cut_off));

    // The same key seals another log of the same name and size.
    let mut maker = Maker::new(Some(key()));
    maker.records(599);
    fs::write(path(401), maker.note().unwrap()).unwrap();
    assert_eq!(found(with_key(&directory)), (seal_name(401), Some(600), Finding::Rewritten(600)));
    let elsewhere = Checkpoint { origin: "other".to_owned(), size: 600, root: [0; 32], head: [0; 32] };
    fs::write(path(401), elsewhere.sign(&key())).unwrap();
    assert_eq!(found(with_key(&directory)), (seal_name(401), None, Finding::Origin("other".to_owned())));

    fs::write(path(401), seal).unwrap();
    fs::copy(path(401), path(1_500)).unwrap();
    assert!(matches!(found(with_key(&directory)), (_, Some(1_500), Finding::Missing { .. })));
}

#[test]
fn a_log_that_is_written_anew_without_the_key_is_found() {
    // Everything is computed anew: hashes, tree and peaks. Only the signatures can't be.
    let rewritten = |key: Option<SigningKey>| {
        let directory = thousand(Some(super::key()));
        let mut maker = Maker::new(key);
        maker.records(10);
        maker.push(&format!(r#"{TIME},"event":"session_closed","lasted_ms":null"#));
        maker.records(188);
        maker.rotate();
        maker.records(799);
        let forged = maker.close();
        (directory, forged)
    };
    // Under the signatures that were there.
    let (directory, forged) = rewritten(Some(key()));
    for first in [1, 201] {
        fs::copy(forged.path().join(segment_name(first)), directory.path().join(segment_name(first)))
            .unwrap();
    }
    for first in [401, 601, 801] {
        fs::remove_file(directory.path().join(segment_name(first))).unwrap();
    }
    assert_eq!(found(with_key(&directory)), (seal_name(1), Some(200), Finding::Rewritten(200)));
    // Without any, and under a key of one's own.
    let (_, forged) = rewritten(None);
    assert_eq!(found(with_key(&forged)).2, Finding::Unsigned);
    let (_, forged) = rewritten(Some(SigningKey::from_seed("log", [2; 32]).unwrap()));
    assert!(matches!(found(with_key(&forged)).2, Finding::Key(Some(_))));
    // The control: without the key, nobody can tell.
    assert_eq!(verify(forged.path()).unwrap().records, 1_000);
}

#[test]
fn a_newest_segment_that_is_removed_or_emptied_with_the_newest_checkpoint_is_found() {
    let harms: [fn(&Path); 3] =
        [|_| {}, |segment| fs::remove_file(segment).unwrap(), |segment| fs::write(segment, "").unwrap()];
    for harm in harms {
        let directory = thousand(Some(key()));
        assert!(with_key(&directory).is_ok(), "the control");
        fs::remove_file(directory.path().join(CHECKPOINT)).unwrap();
        harm(&directory.path().join(segment_name(801)));
        let missing = (CHECKPOINT.to_owned(), None, Finding::NoCheckpoint);
        assert_eq!(found(with_key(&directory)), missing);
        assert_eq!(found(verify(directory.path())), missing, "the log names a key by itself");
    }
}

#[test]
fn what_nothing_vouches_for_goes_unnoticed() {
    // The control of the seals: without them and a checkpoint, a cut at a record's end is a shorter log that is whole.
    let directory = thousand(None);
    let mut lines = read(&directory, &segment_name(801));
    lines.truncate(50);
    write(&directory, &segment_name(801), &lines);
    assert_eq!(verify(directory.path()).unwrap().records, 850);
}

#[test]
fn a_checkpoint_kept_elsewhere_shows_what_an_old_state_of_the_directory_lacks() {
    let kept = |size: u32| {
        let mut maker = Maker::new(Some(key()));
        maker.records(size - 1);
        maker.note().unwrap()
    };
    let mut maker = Maker::new(Some(key()));
    maker.records(99);
    let old = maker.close();
    let verification = Verification::of(old.path()).with_key(key().verifier());
    assert_eq!(verification.run().unwrap().unsealed_tail, 0, "by itself it looks well");
    let later = verification.clone().with_checkpoint(kept(150)).run();
    let cut_off = Finding::CutOff { size: 150, last: 100 };
    assert_eq!(found(later), ("the checkpoint kept elsewhere".to_owned(), Some(101), cut_off));
    let earlier = verification.clone().with_checkpoint(kept(50)).with_checkpoint(kept(1)).run();
    assert_eq!(earlier.unwrap().signatures, 3, "the control");

    let other = Checkpoint { origin: "log".to_owned(), size: 50, root: [0; 32], head: [0; 32] };
    let (_, sequence, finding) = found(verification.clone().with_checkpoint(other.sign(&key())).run());
    assert_eq!((sequence, finding), (Some(50), Finding::Rewritten(50)));
    let unreadable = verification.with_checkpoint("nonsense").run();
    assert!(matches!(found(unreadable).2, Finding::Note(_)));
}

#[test]
fn a_line_without_an_end_is_not_read_into_memory() {
    let directory = thousand(Some(key()));
    let mut lines = read(&directory, &segment_name(801));
    lines[10] = vec![b'a'; 1 << 20];
    write(&directory, &segment_name(801), &lines);
    assert_eq!(found(with_key(&directory)), (segment_name(801), Some(811), Finding::Long));
}

#[test]
fn a_record_with_the_last_number_there_is_is_refused_before_anybody_counts_on() {
    let opened = |before: u64, peaks: u32| {
        let mut maker = Maker::new(None);
        maker.lines.clear();
        maker.head = Head { sequence: before, hash: Hash::NONE };
        maker.tree = Frontier::from_peaks(before, vec![Hash::NONE; peaks as usize]).unwrap();
        maker.open("rotated");
        maker.write();
        let run = Verification::of(maker.directory.path()).allowing_archived().run();
        (run, maker.first)
    };
    for before in [u64::MAX - 1, u64::MAX >> 1] {
        let (run, first) = opened(before, before.count_ones());
        assert_eq!(found(run), (segment_name(first), Some(first), Finding::Header));
    }
    let before = (u64::MAX >> 1) - 1;
    let (control, first) = opened(before, before.count_ones());
    assert_eq!(control.unwrap().last, first);
}
