//! What a crash may leave at the end of a segment, and what it can't.
//!
//! Each batch is one write after the end of what is synced. Where the power goes before its sync, the file ends anywhere in
//! the batch; and each sector up to there is as it was written, or holds what it held before: zeros, or what is no text. So
//! what does not fit is *torn* if it is
//!
//! - the beginning of a record, without an end, at the end of the file;
//! - a line in which a part is missing, from where a record or a sector begins up to where a sector or the file ends, however few bytes
//!   the last sector has, but for one; or
//! - nothing that looks like a record at all.
//!
//! Anything else was a record once, and is *damaged*: a line with an end and with any of the texts that each record has, or
//! one without an end that goes on after a record is complete. It may have been acknowledged, so nothing is cut off there;
//! nor where a whole line follows what is torn, although a crash can do that, too.

/// What a disk writes wholly or not at all.
const SECTOR: u64 = 512;
/// A part that is missing has as many bytes at least, or it could be one that was changed.
const SHORTEST_HOLE: usize = 16;
/// Texts that each record has, in places so far from each other that no one accident takes them all.
const MARKS: [&[u8]; 5] = [b"{\"seq\":", b"\"time\":\"", b",\"event\":\"", b",\"prev\":\"", HASH];
const HASH: &[u8] = b",\"hash\":\"";
/// How long a record is from there on, without the end of the line.
const AFTER_HASH: usize = HASH.len() + 64 + b"\"}".len();

/// Whether a line that does not fit was written as a record once. It begins at `offset` in the file; `ended` where it has its
/// end, which is not in `line`.
pub(super) fn was_written(line: &[u8], offset: u64, ended: bool) -> bool {
    if has_hole(line, offset) || (!ended && lost_its_end(line, offset)) {
        return false;
    }
    if ended {
        return MARKS.into_iter().any(|mark| find(line, mark).is_some());
    }
    find(line, HASH).is_some_and(|at| line.len() - at > AFTER_HASH)
}

/// Whether a part of a line, within one sector, is for the most part no text.
fn has_hole(mut line: &[u8], mut offset: u64) -> bool {
    while !line.is_empty() {
        // Not more than a sector has, so that it fits.
        let room = (SECTOR - offset % SECTOR) as usize;
        let (part, rest) = line.split_at(room.min(line.len()));
        let strange: usize = part.utf8_chunks().map(strange).sum();
        if part.len() >= SHORTEST_HOLE && strange * 2 >= part.len() {
            return true;
        }
        offset += part.len() as u64;
        line = rest;
    }
    false
}

/// Whether all that the last sector has of a line is no text, although the line begins before that.
fn lost_its_end(line: &[u8], offset: u64) -> bool {
    let tail = (offset + line.len() as u64) % SECTOR;
    let Some(before) = line.len().checked_sub(tail as usize) else { return false };
    // A single byte could be the end of a line that was changed.
    tail > 1 && before > 0 && line[before..].utf8_chunks().map(strange).sum::<usize>() as u64 == tail
}

fn strange(chunk: std::str::Utf8Chunk<'_>) -> usize {
    chunk.valid().bytes().filter(u8::is_ascii_control).count() + chunk.invalid().len()
}

fn find(line: &[u8], text: &[u8]) -> Option<usize> {
    line.windows(text.len()).position(|window| window == text)
}
