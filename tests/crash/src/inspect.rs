//! What is left of a log: which records it has, and whether it holds what was acknowledged.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failed::{Done, Failed};
use crate::log::PREFIX;

/// The names of the records of a log.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) names: HashSet<String>,
    /// Those that it has twice.
    pub(crate) doubled: usize,
    pub(crate) segments: usize,
}

impl Found {
    /// Reads the segments as the verifier does: where one begins at a number that the one before goes beyond, that one ends there.
    pub(crate) fn in_log(directory: &Path) -> Done<Self> {
        if !directory.is_dir() {
            return Ok(Self::default());
        }
        let segments = segments(directory)?;
        let mut found = Self { segments: segments.len(), ..Self::default() };
        for (at, (_, path)) in segments.iter().enumerate() {
            let next = segments.get(at + 1).map_or(u64::MAX, |(first, _)| *first);
            let text = fs::read(path)?;
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(line);
                if !line.ends_with('\n') || sequence(&line).is_some_and(|sequence| sequence >= next) {
                    break;
                }
                let name = line.split('"').find_map(|text| text.strip_prefix(PREFIX));
                if name.is_some_and(|name| !found.names.insert(name.to_owned())) {
                    found.doubled += 1;
                }
            }
        }
        Ok(found)
    }

    /// How many of these it does not have.
    pub(crate) fn missing<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> usize {
        names.into_iter().filter(|name| !self.names.contains(*name)).count()
    }
}

/// The segments of a log in their order, each with the number of its first record.
pub(crate) fn segments(directory: &Path) -> Done<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let first = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            let first = first.ok_or_else(|| Failed(format!("{} has no number", path.display())))?;
            segments.push((first, path));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Whether the last segment ends within a line: before the log is opened again, which repairs it.
pub(crate) fn is_torn(directory: &Path) -> Done<bool> {
    let segments = if directory.is_dir() { segments(directory)? } else { Vec::new() };
    let Some((_, last)) = segments.last() else { return Ok(false) };
    Ok(fs::read(last)?.last().is_some_and(|byte| *byte != b'\n'))
}

fn sequence(line: &str) -> Option<u64> {
    line.strip_prefix("{\"seq\":")?.split(',').next()?.parse().ok()
}
