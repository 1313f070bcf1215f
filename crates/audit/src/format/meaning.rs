//! What each event means to whoever watches: one table, from which every format takes what it has a place for.

use auth_core::AuthEvent;
use auth_core::observe::ScopeVerdict;

use super::ocsf::Activity;
use crate::entry::{Event, PreviousEnd, SegmentReason, TrailEvent};

/// What an event means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    /// Its name for people, in ASCII.
    pub(super) caption: &'static str,
    /// How it went.
    pub(super) outcome: Outcome,
    /// How much it matters.
    pub(super) weight: Weight,
    /// Its class and activity in OCSF.
    pub(super) activity: Activity,
    /// `event.category` in ECS.
    pub(super) categories: &'static [&'static str],
    /// `event.type` in ECS.
    pub(super) types: &'static [&'static str],
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    Failure,
    Unknown,
}

impl Outcome {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }
}

/// How much an event matters, from least to most: what each format makes its severity of.
///
/// ```
/// use audit::Event;
/// use audit::format::Weight;
/// use auth_core::AuthEvent;
///
/// let closed = Event::Auth(AuthEvent::SessionClosed { lasted: None });
/// assert_eq!(Weight::of(&closed), Weight::Normal);
/// assert!(Weight::Normal < Weight::Alarm);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "whoever shows events has a place for each")]
pub enum Weight {
    /// How it goes.
    Routine,
    /// What changed.
    Normal,
    /// What somebody may want to have noticed.
    Notable,
    /// What went wrong.
    Warning,
    /// What somebody should look at now.
    Alarm,
}

impl Weight {
    /// How much `event` matters.
    #[must_use]
    pub const fn of(event: &Event) -> Self {
        Meaning::of(event).weight
    }

    /// The severity of RFC 5424 §6.2.1.
    pub(super) const fn syslog_severity(self) -> u8 {
        match self {
            Self::Routine | Self::Normal => 6,
            Self::Notable => 5,
            Self::Warning => 4,
            Self::Alarm => 3,
        }
    }
}

use Activity as A;
use Outcome::{Failure, Success, Unknown};
use Weight::{Alarm, Normal, Notable, Routine, Warning};

type Names = &'static [&'static str];

const AUTHENTICATION: Names = &["authentication"];
const SESSION: Names = &["authentication", "session"];
const IDENTITY: Names = &["authentication", "iam"];
const NETWORK: Names = &["network", "session"];
const FILE: Names = &["file"];
const HOST: Names = &["host"];
const PROCESS: Names = &["process"];
const START: Names = &["start"];
const INFO: Names = &["info"];
const END: Names = &["end"];

const fn means(
    caption: &'static str,
    outcome: Outcome,
    weight: Weight,
    activity: Activity,
    categories: Names,
    types: Names,
) -> Meaning {
    Meaning { caption, outcome, weight, activity, categories, types }
}

impl Meaning {
    /// What `event` means.
    pub(super) const fn of(event: &Event) -> Self {
        match event {
            Event::Auth(event) => Self::of_credential(event),
            Event::Trail(event) => Self::of_trail(event),
        }
    }

    /// What stands for an event that this table does not know. No event may: a test sees to it.
    pub(super) const UNMAPPED: Self =
        means("Unmapped Event", Unknown, Normal, A::AUTHENTICATION, AUTHENTICATION, INFO);

    #[rustfmt::skip] // A table is read by its columns.
    const fn of_credential(event: &AuthEvent) -> Self {
        match event {
            AuthEvent::RenewalStarted { .. } => means("Renewal Started", Unknown, Routine, A::AUTHENTICATION, AUTHENTICATION, START),
            AuthEvent::RenewalDelayed { .. } => means("Renewal Delayed", Unknown, Routine, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::RenewalPaused { .. } => means("Renewal Paused", Failure, Warning, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::TokenRequested { .. } => means("Token Requested", Unknown, Routine, A::AUTHENTICATION, AUTHENTICATION, START),
            AuthEvent::RateLimited { .. } => means("Rate Limited", Failure, Warning, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::TokenRequestFailed { .. } => means("Token Request Failed", Failure, Warning, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::TokenIssued { .. } => means("Token Issued", Success, Normal, A::AUTHENTICATION, IDENTITY, &["info", "creation"]),
            AuthEvent::TokenAdopted { .. } => means("Token Adopted", Success, Normal, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::TokenUnused { .. } => means("Token Unused", Unknown, Routine, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::TokenExpired { .. } => means("Token Expired", Failure, Warning, A::AUTHENTICATION, AUTHENTICATION, END),
            AuthEvent::RefreshInDoubt { .. } => means("Refresh In Doubt", Unknown, Warning, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::RefreshTokenRefused { .. } => means("Refresh Token Refused", Failure, Warning, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::RefreshTokenSaved { .. } => means("Refresh Token Saved", Success, Routine, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::StoreFailed { .. } => means("Token Store Failed", Failure, Warning, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::ServerClockLearned { .. } => means("Server Clock Learned", Unknown, Normal, A::OTHER, HOST, INFO),
            AuthEvent::ClockSetBack { .. } => means("Clock Set Back", Unknown, Warning, A::OTHER, HOST, &["change"]),
            AuthEvent::TokenRejected { .. } => means("Token Rejected", Failure, Warning, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::ScopesChecked { verdict: ScopeVerdict::Allowed, .. } => means("Scopes Checked", Success, Routine, A::AUTHORIZE_SESSION, &["api"], &["allowed"]),
            AuthEvent::ScopesChecked { .. } => means("Scopes Checked", Failure, Warning, A::AUTHORIZE_SESSION, &["api"], &["denied"]),
            AuthEvent::Connecting { .. } => means("Connecting", Unknown, Routine, A::NETWORK_OPEN, NETWORK, &["connection", "start"]),
            AuthEvent::Authenticated { .. } => means("Authenticated", Success, Normal, A::LOGON, SESSION, START),
            AuthEvent::TokenRenewed { .. } => means("Token Renewed", Success, Normal, A::AUTHENTICATION, SESSION, INFO),
            AuthEvent::RenewalFailed { .. } => means("Renewal Failed", Failure, Warning, A::AUTHENTICATION, SESSION, INFO),
            AuthEvent::ExpiryIgnored { .. } => means("Expiry Ignored", Unknown, Warning, A::AUTHENTICATION, SESSION, INFO),
            AuthEvent::ConnectionDelayed { .. } => means("Connection Delayed", Failure, Warning, A::NETWORK, NETWORK, INFO),
            AuthEvent::ConnectionLost { lasted: Some(_), .. } => means("Connection Lost", Failure, Warning, A::NETWORK_CLOSE, NETWORK, &["connection", "end"]),
            AuthEvent::ConnectionLost { .. } => means("Connection Failed", Failure, Warning, A::NETWORK_FAIL, NETWORK, &["connection", "end"]),
            AuthEvent::SessionSuspended { .. } => means("Session Suspended", Failure, Warning, A::NETWORK, NETWORK, INFO),
            AuthEvent::SessionFailed { .. } => means("Session Failed", Failure, Warning, A::AUTHENTICATION, SESSION, END),
            AuthEvent::SessionClosed { .. } => means("Session Closed", Success, Normal, A::LOGOFF, SESSION, END),
            AuthEvent::TokenReleased { .. } => means("Token Released", Success, Routine, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::TokenRequestSigned { .. } => means("Token Request Signed", Success, Normal, A::AUTHENTICATION, IDENTITY, &["info", "creation"]),
            AuthEvent::TokenRevoked { .. } => means("Token Revoked", Success, Notable, A::AUTHENTICATION, &["iam", "session"], &["deletion", "end"]),
            AuthEvent::RevocationFailed { .. } => means("Revocation Failed", Failure, Alarm, A::AUTHENTICATION, &["iam"], &["deletion"]),
            AuthEvent::TokenMinted { .. } => means("Token Minted", Success, Normal, A::AUTHENTICATION, IDENTITY, &["info", "creation"]),
            AuthEvent::TokenDenied { .. } => means("Token Denied", Failure, Warning, A::AUTHENTICATION, IDENTITY, INFO),
            AuthEvent::TokenConsumed { .. } => means("Token Consumed", Success, Normal, A::AUTHENTICATION, AUTHENTICATION, INFO),
            AuthEvent::ReplayRejected { .. } => means("Replay Rejected", Failure, Alarm, A::LOGON, &["authentication", "intrusion_detection"], &["info", "denied"]),
            AuthEvent::ClientAuthenticated { .. } => means("Client Authenticated", Success, Normal, A::LOGON, SESSION, START),
            AuthEvent::ClientReauthenticated { .. } => means("Client Reauthenticated", Success, Normal, A::AUTHENTICATION, SESSION, INFO),
            AuthEvent::ClientRejected { .. } => means("Client Rejected", Failure, Warning, A::LOGON, AUTHENTICATION, START),
            AuthEvent::ClientDisconnected { .. } => means("Client Disconnected", Success, Normal, A::LOGOFF, SESSION, END),
            _ => Self::UNMAPPED,
        }
    }

    #[rustfmt::skip] // A table is read by its columns.
    const fn of_trail(event: &TrailEvent) -> Self {
        match event {
            TrailEvent::SegmentOpened { reason: SegmentReason::Created, .. } => means("Segment Opened", Success, Routine, A::LOG_START, FILE, &["creation"]),
            TrailEvent::SegmentOpened { .. } => means("Segment Opened", Success, Routine, A::LOG_ROTATE, FILE, &["creation"]),
            TrailEvent::TrailOpened { previous_end: PreviousEnd::BrokenOff, .. } => means("Trail Opened", Success, Warning, A::PROGRAM_START, PROCESS, START),
            TrailEvent::TrailOpened { .. } => means("Trail Opened", Success, Normal, A::PROGRAM_START, PROCESS, START),
            TrailEvent::TrailClosed { .. } => means("Trail Closed", Success, Normal, A::PROGRAM_STOP, PROCESS, END),
            TrailEvent::RecordsDropped { .. } => means("Records Dropped", Failure, Alarm, A::LOG, FILE, INFO),
            TrailEvent::LogRecovered { .. } => means("Log Recovered", Success, Notable, A::LOG, FILE, &["change"]),
            TrailEvent::LogFault { .. } => means("Log Fault", Failure, Alarm, A::LOG, FILE, INFO),
            TrailEvent::EventsDropped { .. } => means("Events Dropped", Failure, Alarm, A::LOG, FILE, INFO),
            TrailEvent::EventsInDoubt { .. } => means("Events In Doubt", Failure, Alarm, A::LOG, FILE, INFO),
            TrailEvent::EventOversized { .. } => means("Event Oversized", Failure, Alarm, A::LOG, FILE, INFO),
            TrailEvent::CheckpointSigned { .. } => means("Checkpoint Signed", Success, Routine, A::LOG, FILE, INFO),
        }
    }
}
