//! Why a run failed: for people.

/// What went wrong, in words.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

pub(crate) type Done<T = ()> = Result<T, Failed>;

impl Failed {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
