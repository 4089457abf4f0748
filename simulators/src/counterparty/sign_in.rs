//! A terminal that signs in: it asks for working keys, checks their check values and authenticates with them from then on.

use super::{Party, Refusal, Step, mac_algorithm};
use codecs::envelope::SignatureScheme;
use codecs::wire::Wire;
use keys::keyring::WorkingKey;
use keys::legacy::master::WrappedKey;
use std::sync::Arc;
use time::OffsetDateTime;

impl Party {
    /// A request for working keys; `None` where the party's spec has none. `serial` is what makes it unique.
    pub fn ask_to_sign_in(&self, serial: &str) -> Result<Option<Wire>, Refusal> {
        let asked = self.spec()?.ask_to_sign_in(serial).transpose();
        asked.map_err(|error| Refusal::build(&error))
    }

    /// Takes the MAC key of the answer into use, if its check value is right.
    pub fn take_working_keys(&self, holder: &str, asked: &Wire, answer: &Wire, now: OffsetDateTime) -> Result<(), Refusal> {
        let spec = self.spec()?;
        let refuse = |text: &dyn std::fmt::Display| Refusal::new(Step::Open, text);
        let SignatureScheme::Mac(kind) = spec.signature_scheme() else {
            return Err(refuse(&"messages have no MAC"));
        };
        let read = spec.handed_keys(asked, answer).transpose();
        let keys = read.map_err(|error| Refusal::parse(&error))?;
        let [_pin, mac] = keys.ok_or_else(|| refuse(&"the spec has no sign-in"))?;
        let check = mac
            .check
            .as_slice()
            .try_into()
            .map_err(|_| refuse(&"a check value has four bytes"))?;
        let handed = WrappedKey {
            wrapped: mac.wrapped,
            check,
        };
        let taken = self
            .keyring()
            .take_handed(&self.link, holder, mac_algorithm(kind), &handed, now);
        taken.map_err(|error| refuse(&error))
    }

    /// The working key of the party that a message names.
    pub(super) fn working(&self, named: Option<&str>, now: OffsetDateTime) -> Option<Arc<WorkingKey>> {
        self.keyring().working(&self.link, named?, now).into_iter().next()
    }
}
