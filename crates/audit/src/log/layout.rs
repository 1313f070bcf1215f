//! The names of a log's files.

/// Held by the one writer, as the directory is where that can be.
pub(crate) const LOCK: &str = "lock";

/// The newest signed note.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// Bytes kept back for the last records of a full disk.
pub(crate) const RESERVE: &str = "reserve";

/// What is being written and gets its own name when it is whole.
pub(crate) const TEMPORARY: &str = "temporary";

/// The segment whose first record has this number.
pub(crate) fn segment(first: u64) -> String {
    format!("{first:020}.jsonl")
}

/// The seal of the segment whose first record has this number.
pub(crate) fn seal(first: u64) -> String {
    format!("{first:020}.checkpoint")
}

/// The number of a segment's first record by its file's name; `None` for a file that is no segment of ours.
pub(crate) fn first_of(name: &str) -> Option<u64> {
    number(name.strip_suffix(".jsonl")?)
}

/// The number of the first record of the segment that a seal is of, by its file's name; `None` for a file that is no seal.
pub(crate) fn sealed_by(name: &str) -> Option<u64> {
    number(name.strip_suffix(".checkpoint")?)
}

fn number(digits: &str) -> Option<u64> {
    let ours = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    ours.then(|| digits.parse().ok()).flatten().filter(|first| *first > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_known_by_its_name_alone() {
        assert_eq!(first_of(&segment(1)), Some(1));
        assert_eq!(first_of(&segment(u64::MAX)), Some(u64::MAX));
        assert_eq!((sealed_by(&seal(7)), sealed_by(&segment(7)), first_of(&seal(7))), (Some(7), None, None));
        let zero = segment(0);
        for other in
            ["1.jsonl", "00000000000000000001.jsonl.1", "0000000000000000000x.jsonl", "audit.jsonl", &zero]
        {
            assert_eq!(first_of(other), None, "{other}");
        }
    }
}
