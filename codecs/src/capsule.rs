//! Messages whose whole content is sealed: the document around it read and written. What is inside is a message like any
//! other, which `Spec::parse` takes once it is opened. No cryptography happens here.

use crate::envelope::CapsuleScheme;
use crate::error::{BuildError, ParseError};
use crate::field::Broken;
use crate::format::{fault, leaves, literal, xml_elements};
use crate::spec::Spec;
use crate::spec::capsule::CapsulePlan;
use crate::wire::Wire;
use std::collections::BTreeMap;

impl Spec {
    /// How the content of every message is sealed, where it is.
    pub fn capsule(&self) -> Option<CapsuleScheme> {
        self.envelope.capsule.as_ref().map(|plan| plan.scheme)
    }

    /// The same spec for what is inside: to look at a message that was taken out of its capsule.
    #[must_use]
    pub fn without_capsule(&self) -> Self {
        let mut spec = self.clone();
        spec.envelope.capsule = None;
        spec
    }

    /// The ciphertext of a message's content; `Ok(None)` where the spec has nothing of the kind, and for an acknowledgement that
    /// is one word.
    pub fn sealed_content(&self, wire: &Wire) -> Result<Option<Vec<u8>>, ParseError> {
        let Some(plan) = self.envelope.capsule.as_ref().filter(|_| literal(self, wire).is_none()) else {
            return Ok(None);
        };
        let found = self.around(plan, &wire.body)?;
        let (text, offset) = found
            .get(&plan.content)
            .ok_or_else(|| Broken::new("field.missing", "nothing is sealed in it").read(&plan.content, None))?;
        let ciphertext = plan.scheme.read(text);
        ciphertext
            .map(Some)
            .map_err(|broken| broken.read(&plan.content, Some(*offset)))
    }

    /// The message inside, as it came by the same transport. What stands around it must say what it says.
    pub fn opened_content(&self, wire: &Wire, clear: Vec<u8>) -> Result<Wire, ParseError> {
        if let Some(plan) = &self.envelope.capsule {
            let (outside, inside) = (self.around(plan, &wire.body)?, self.around(plan, &clear)?);
            let differs = |name: &String| outside.get(name).map(|(text, _)| text) != inside.get(name).map(|(text, _)| text);
            if let Some(name) = plan.beside.iter().find(|name| differs(name)) {
                let offset = outside.get(name).map(|(_, offset)| *offset);
                return Err(
                    Broken::new("capsule.differs", "around the content stands something else than in it").read(name, offset),
                );
            }
        }
        Ok(Wire {
            body: clear,
            ..wire.clone()
        })
    }

    /// Whether a message of ours goes out in a capsule.
    pub fn seals_content(&self, wire: &Wire) -> bool {
        self.envelope.capsule.is_some() && literal(self, wire).is_none()
    }

    /// A message of ours with its content sealed.
    pub fn with_sealed_content(&self, wire: Wire, ciphertext: &[u8]) -> Result<Wire, BuildError> {
        let Some(plan) = &self.envelope.capsule else { return Ok(wire) };
        let inside = self
            .around(plan, &wire.body)
            .map_err(|error| Broken::new(error.rule, error.detail).built(&plan.content))?;
        let content = plan.scheme.write(ciphertext);
        let beside = plan.beside.iter();
        let beside = beside.filter_map(|name| Some((name.as_str(), inside.get(name)?.0.as_str())));
        let elements = xml_elements(beside.chain([(plan.content.as_str(), content.as_str())]));
        let body = format!("{DECLARATION}<{root}>{elements}</{root}>", root = plan.root);
        let max = self.limits.message_bytes_max;
        if body.len() > max {
            return Err(Broken::new("limit.bytes", format!("{} bytes, allowed {max}", body.len())).built(&plan.content));
        }
        Ok(Wire {
            body: body.into_bytes(),
            ..wire
        })
    }

    /// The texts of the elements that a capsule knows, each with its place.
    fn around(&self, plan: &CapsulePlan, body: &[u8]) -> Result<BTreeMap<String, (String, usize)>, ParseError> {
        let max = self.limits.message_bytes_max;
        if body.len() > max {
            return Err(fault("limit.bytes", None, format!("{} bytes, allowed {max}", body.len())));
        }
        let names: Vec<&str> = plan.beside.iter().chain([&plan.content]).map(String::as_str).collect();
        leaves(body, &plan.root, &names, &self.limits)
    }
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
