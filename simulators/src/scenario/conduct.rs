//! How a counterparty answers: the closed list of the language, and what it means at each party.

use super::{PartyName, Reply};
use crate::centre::{self, CentreFault};
use crate::fault::Fault;
use crate::institution::direct::{self, DirectFault};
use crate::platform::{self, PlatformFault};

/// What `how` takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    Normal,
    Refuse,
    Processing,
    Late,
    Never,
    Twice,
    BadSignature,
    Truncate,
    Gbk,
    UnknownSerial,
    WrongSealKey,
    Error500,
    Garbage,
    /// The next reply goes before it.
    Reorder,
    /// Its broker puts it back again and again.
    NackStorm,
    /// A few bytes at a time.
    SlowDrip,
    /// Whole; then its connection is cut, and the party silent.
    ReplyThenDie,
    Silent,
    Back,
}

impl How {
    pub const ALL: [Self; 19] = [
        Self::Normal,
        Self::Refuse,
        Self::Processing,
        Self::Late,
        Self::Never,
        Self::Twice,
        Self::BadSignature,
        Self::Truncate,
        Self::Gbk,
        Self::UnknownSerial,
        Self::WrongSealKey,
        Self::Error500,
        Self::Garbage,
        Self::Reorder,
        Self::NackStorm,
        Self::SlowDrip,
        Self::ReplyThenDie,
        Self::Silent,
        Self::Back,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Refuse => "refuse",
            Self::Processing => "processing",
            Self::Late => "late",
            Self::Never => "never",
            Self::Twice => "twice",
            Self::BadSignature => "bad_signature",
            Self::Truncate => "truncate",
            Self::Gbk => "gbk",
            Self::UnknownSerial => "unknown_serial",
            Self::WrongSealKey => "wrong_seal_key",
            Self::Error500 => "error_500",
            Self::Garbage => "garbage",
            Self::Reorder => "reorder",
            Self::NackStorm => "nack_storm",
            Self::SlowDrip => "slow_drip",
            Self::ReplyThenDie => "reply_then_die",
            Self::Silent => "silent",
            Self::Back => "back",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.name() == name)
    }

    /// Whether a party can do this at all: an HTTP answer comes once and on its own connection, and a queue has neither status
    /// codes nor bytes that come slowly.
    pub const fn is_for(self, party: PartyName) -> bool {
        match self {
            Self::Twice | Self::Reorder | Self::NackStorm => matches!(party, PartyName::Centre),
            Self::Truncate | Self::Gbk | Self::UnknownSerial | Self::WrongSealKey => !matches!(party, PartyName::Platform),
            Self::Error500 | Self::Garbage => !matches!(party, PartyName::Centre),
            Self::SlowDrip => matches!(party, PartyName::Platform),
            Self::ReplyThenDie => !matches!(party, PartyName::Institution),
            Self::Normal
            | Self::Refuse
            | Self::Processing
            | Self::Late
            | Self::Never
            | Self::BadSignature
            | Self::Silent
            | Self::Back => true,
        }
    }
}

impl Reply {
    pub(super) fn at_centre(&self) -> centre::Conduct {
        let reply = |fault| Some(CentreFault::Reply(fault));
        let fault = match self.how {
            How::Processing => Some(CentreFault::Processing(self.after_ms)),
            How::Never => reply(Fault::Drop),
            How::Twice => reply(Fault::Repeat),
            How::BadSignature => reply(Fault::BadSignature),
            How::Truncate => reply(Fault::Truncate),
            How::Gbk => reply(Fault::Gbk),
            How::UnknownSerial => reply(Fault::UnknownSerial),
            How::WrongSealKey => reply(Fault::WrongSealKey),
            How::Reorder => reply(Fault::Reorder),
            How::NackStorm => reply(Fault::NackStorm),
            How::Normal
            | How::Refuse
            | How::Late
            | How::Error500
            | How::Garbage
            | How::SlowDrip
            | How::ReplyThenDie
            | How::Silent
            | How::Back => None,
        };
        centre::Conduct {
            fault,
            refusal: (self.how == How::Refuse).then_some(self.reason),
            late_ms: if self.how == How::Late { self.after_ms } else { 0 },
            dies: self.dies || self.how == How::ReplyThenDie,
        }
    }

    pub(super) fn at_platform(&self) -> platform::Conduct {
        let fault = match self.how {
            How::Processing => Some(PlatformFault::Processing),
            How::Late => Some(PlatformFault::Delay(self.after_ms)),
            How::Never => Some(PlatformFault::Never),
            How::BadSignature => Some(PlatformFault::BadMac),
            How::Error500 => Some(PlatformFault::Status500),
            How::Garbage => Some(PlatformFault::Garbage),
            How::SlowDrip => Some(PlatformFault::Drip(self.after_ms)),
            How::ReplyThenDie => Some(PlatformFault::HangUp),
            How::Normal
            | How::Refuse
            | How::Twice
            | How::Truncate
            | How::Gbk
            | How::UnknownSerial
            | How::WrongSealKey
            | How::Reorder
            | How::NackStorm
            | How::Silent
            | How::Back => None,
        };
        platform::Conduct {
            fault,
            refusal: (self.how == How::Refuse).then_some(self.reason),
            dies: self.dies || self.how == How::ReplyThenDie,
        }
    }

    pub(super) fn at_institution(&self) -> direct::Conduct {
        let answer = |fault| Some(DirectFault::Answer(fault));
        let fault = match self.how {
            How::Processing => Some(DirectFault::Processing),
            How::Late => Some(DirectFault::Delay(self.after_ms)),
            How::Never => Some(DirectFault::Never),
            How::Error500 => Some(DirectFault::Status500),
            How::Garbage => Some(DirectFault::Garbage),
            How::BadSignature => answer(Fault::BadSignature),
            How::Truncate => answer(Fault::Truncate),
            How::Gbk => answer(Fault::Gbk),
            How::UnknownSerial => answer(Fault::UnknownSerial),
            How::WrongSealKey => answer(Fault::WrongSealKey),
            How::Normal
            | How::Refuse
            | How::Twice
            | How::Reorder
            | How::NackStorm
            | How::SlowDrip
            | How::ReplyThenDie
            | How::Silent
            | How::Back => None,
        };
        direct::Conduct {
            fault,
            refusal: (self.how == How::Refuse).then_some(self.reason),
            dies: self.dies,
            tells: false,
        }
    }
}
