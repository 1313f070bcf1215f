//! One log has one writer: a second process is refused, and told why, until the first is gone.

use crate::child::{Writer, command};
use crate::failed::{Done, Failed};
use crate::log::reopen_and_verify;
use crate::mounts;

pub(crate) fn run() -> Done {
    let folder = mounts::folder()?;
    let log = folder.path().join("log");
    let first = Writer::start(&mut command(&log, "first")?)?;
    if !first.wait_until_open() {
        return Err(Failed::new("the first writer does not open the log"));
    }
    let (second, status, complaints) =
        Writer::start(command(&log, "second")?.args(["--records", "1"]))?.wait()?;
    if second.opened || status.success() || complaints.trim().is_empty() {
        return Err(Failed::new(
            "a second writer opened a log that has one, or was not told why it could not",
        ));
    }
    first.kill()?;
    let (third, _, complaints) = Writer::start(command(&log, "third")?.args(["--records", "1"]))?.wait()?;
    if third.acknowledged.len() != 1 {
        return Err(Failed(format!("a log whose writer was killed has no other: {complaints}")));
    }
    let verified = reopen_and_verify(&log)?;
    if (verified.opened, verified.closed, verified.broken_off) != (3, 2, 1) {
        return Err(Failed(format!(
            "the log does not say that the first alone was broken off: {verified:?}"
        )));
    }
    println!("one-writer: the second was refused, the one after the first wrote");
    Ok(())
}
