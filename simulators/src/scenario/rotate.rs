//! Keys that are rotated while a scenario runs.

/// Whose key, and for what, as the gateway sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rotated {
    OurSign,
    OurSeal,
    CentreSign,
    CentreSeal,
    PlatformMac,
}

impl Rotated {
    pub const ALL: [Self; 5] = [
        Self::OurSign,
        Self::OurSeal,
        Self::CentreSign,
        Self::CentreSeal,
        Self::PlatformMac,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::OurSign => "our_sign",
            Self::OurSeal => "our_seal",
            Self::CentreSign => "centre_sign",
            Self::CentreSeal => "centre_seal",
            Self::PlatformMac => "platform_mac",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// How far a rotation is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Announce,
    Accept,
    Promote,
    Retire,
}

impl Stage {
    pub const ALL: [Self; 4] = [Self::Announce, Self::Accept, Self::Promote, Self::Retire];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::Accept => "accept",
            Self::Promote => "promote",
            Self::Retire => "retire",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// One step of a rotation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rotate {
    pub key: Rotated,
    pub stage: Stage,
}
