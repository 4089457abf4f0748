//! The kinds of faults, and the decks from which a seed draws them.

use simulators::world::Dice;

/// A kind of fault.
pub(super) trait Kind: Copy {
    fn name(self) -> &'static str;
}

/// What happens to processes and disks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Blow {
    /// SIGKILL, and started again at once.
    GatewayKilled,
    /// SIGKILL, and started again after some seconds.
    GatewayAway,
    /// SIGTERM to one after the other, each started again.
    RollingRestart,
    /// SIGSTOP for longer or shorter than a lease: afterwards it goes on with what it had in hand.
    GatewayPaused,
    BrokerRestarted,
    BrokerKilled,
    DatabaseRestarted,
    /// SIGKILL to every process of it.
    DatabaseKilled,
    DiskFull,
    /// Writes and syncs hang.
    DiskStalled,
}

impl Kind for Blow {
    fn name(self) -> &'static str {
        match self {
            Self::GatewayKilled => "gateway_killed",
            Self::GatewayAway => "gateway_killed_and_away",
            Self::RollingRestart => "rolling_restart",
            Self::GatewayPaused => "gateway_paused",
            Self::BrokerRestarted => "broker_restarted",
            Self::BrokerKilled => "broker_killed",
            Self::DatabaseRestarted => "database_restarted",
            Self::DatabaseKilled => "database_killed",
            Self::DiskFull => "disk_full",
            Self::DiskStalled => "disk_stalled",
        }
    }
}

/// What happens meanwhile on connections and at the counterparties.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Strain {
    BrokerLinkCut,
    BrokerLinkFrozen,
    BrokerLinkHalfOpen,
    DatabaseLinkCut,
    DatabaseLinkFrozen,
    DatabaseLinkHalfOpen,
    PlatformLinkCut,
    PlatformLinkFrozen,
    PlatformLinkHalfOpen,
    /// An answer comes twice on its connection.
    PlatformTwice,
    PlatformLate,
    PlatformNever,
    PlatformProcessing,
    /// Answers that nobody signed, or that mean nothing.
    PlatformWrong,
    CentreTwice,
    CentreLate,
    CentreNever,
    CentreProcessing,
}

impl Kind for Strain {
    fn name(self) -> &'static str {
        match self {
            Self::BrokerLinkCut => "broker_link_cut",
            Self::BrokerLinkFrozen => "broker_link_frozen",
            Self::BrokerLinkHalfOpen => "broker_link_half_open",
            Self::DatabaseLinkCut => "database_link_cut",
            Self::DatabaseLinkFrozen => "database_link_frozen",
            Self::DatabaseLinkHalfOpen => "database_link_half_open",
            Self::PlatformLinkCut => "platform_link_cut",
            Self::PlatformLinkFrozen => "platform_link_frozen",
            Self::PlatformLinkHalfOpen => "platform_link_half_open",
            Self::PlatformTwice => "platform_answers_twice",
            Self::PlatformLate => "platform_answers_late",
            Self::PlatformNever => "platform_never_answers",
            Self::PlatformProcessing => "platform_says_processing",
            Self::PlatformWrong => "platform_answers_wrongly",
            Self::CentreTwice => "centre_answers_twice",
            Self::CentreLate => "centre_answers_late",
            Self::CentreNever => "centre_never_answers",
            Self::CentreProcessing => "centre_says_processing",
        }
    }
}

/// The gateway's deaths most of all.
pub(super) const BLOWS: &[Blow] = &[
    Blow::GatewayKilled,
    Blow::GatewayKilled,
    Blow::GatewayKilled,
    Blow::GatewayKilled,
    Blow::GatewayAway,
    Blow::GatewayAway,
    Blow::RollingRestart,
    Blow::GatewayPaused,
    Blow::GatewayPaused,
    Blow::BrokerRestarted,
    Blow::BrokerKilled,
    Blow::DatabaseRestarted,
    Blow::DatabaseKilled,
    Blow::DiskFull,
    Blow::DiskStalled,
];

pub(super) const STRAINS: &[Strain] = &[
    Strain::BrokerLinkCut,
    Strain::BrokerLinkCut,
    Strain::BrokerLinkFrozen,
    Strain::BrokerLinkHalfOpen,
    Strain::DatabaseLinkCut,
    Strain::DatabaseLinkFrozen,
    Strain::DatabaseLinkHalfOpen,
    Strain::PlatformLinkCut,
    Strain::PlatformLinkFrozen,
    Strain::PlatformLinkHalfOpen,
    Strain::PlatformTwice,
    Strain::PlatformLate,
    Strain::PlatformNever,
    Strain::PlatformProcessing,
    Strain::PlatformWrong,
    Strain::CentreTwice,
    Strain::CentreLate,
    Strain::CentreNever,
    Strain::CentreProcessing,
];

/// Kinds in a drawn order; when all are drawn they are shuffled anew, so that none waits for long.
pub(super) struct Deck<K> {
    kinds: Vec<K>,
    left: Vec<K>,
}

impl<K: Kind> Deck<K> {
    pub(super) fn new(kinds: impl IntoIterator<Item = K>) -> Self {
        Self {
            kinds: kinds.into_iter().collect(),
            left: Vec::new(),
        }
    }

    pub(super) fn draw(&mut self, dice: &mut Dice) -> K {
        if self.left.is_empty() {
            self.left.clone_from(&self.kinds);
        }
        let place = dice.below(self.left.len() as u64);
        self.left.swap_remove(usize::try_from(place).unwrap())
    }
}
