//! The manual: what no single item can say.

#[doc = include_str!("audit.md")]
pub mod audit {}

#[doc = include_str!("defaults.md")]
pub mod defaults {}

#[doc = include_str!("oauth.md")]
pub mod oauth {}

#[doc = include_str!("sessions.md")]
pub mod sessions {}

#[doc = include_str!("threat_model.md")]
pub mod threat_model {}
