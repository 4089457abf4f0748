//! The closed table of known mistakes, the more particular ones first: the first that explains a refusal is the diagnosis.

use super::proof::Attempt;
use super::seen::Seen;
use super::{Case, Refused, Variant};
use super::{announced, body, capsule, key, link, seal, signing, text, value};
use crate::pipeline::Step;
use codecs::wire::Wire;

/// One mistake, by a code that stays.
pub struct Mistake {
    /// Two words of small letters, such as `signature.raw`.
    pub code: &'static str,
    pub proof: Proof,
    tries: Tries,
}

/// What it is that held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// The pipeline takes the message in another form.
    Taken,
    /// The signature holds.
    Signature,
    /// Everything sealed opens.
    Seal,
    /// Nothing but that the message is read: no key says more.
    Read,
}

/// How it is tried.
#[derive(Clone, Copy)]
enum Tries {
    Bodies(fn(&Case<'_>) -> Vec<Variant<Wire>>),
    Signatures(for<'a> fn(&Seen<'a>) -> Vec<Attempt<'a>>),
    Refused(fn(&Refused<'_>) -> Option<String>),
}

impl Mistake {
    /// The variant under which it explains the refusal.
    pub(super) fn explains(&self, refused: &Refused<'_>) -> Option<String> {
        match self.tries {
            Tries::Bodies(bodies) => {
                let mut taken = bodies(refused.case)
                    .into_iter()
                    .filter(|variant| refused.case.receive(&variant.form).is_ok());
                taken.next().map(|variant| variant.what)
            }
            Tries::Signatures(attempts) => {
                // What parses under a spec that takes any signature, and not under its own, fails for its signature alone.
                let is_refused = matches!(refused.rejection.step, Step::Parse | Step::Verify);
                let seen = refused.seen.filter(|seen| is_refused && !seen.holds())?;
                let mut holding = attempts(seen).into_iter().filter(|attempt| attempt.holds(seen));
                holding.next().map(|attempt| attempt.what)
            }
            Tries::Refused(explain) => explain(refused),
        }
    }
}

impl std::fmt::Debug for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code)
    }
}

const fn body(code: &'static str, tries: fn(&Case<'_>) -> Vec<Variant<Wire>>) -> Mistake {
    Mistake {
        code,
        proof: Proof::Taken,
        tries: Tries::Bodies(tries),
    }
}

const fn signature(code: &'static str, tries: for<'a> fn(&Seen<'a>) -> Vec<Attempt<'a>>) -> Mistake {
    Mistake {
        code,
        proof: Proof::Signature,
        tries: Tries::Signatures(tries),
    }
}

const fn refused(code: &'static str, proof: Proof, tries: fn(&Refused<'_>) -> Option<String>) -> Mistake {
    Mistake {
        code,
        proof,
        tries: Tries::Refused(tries),
    }
}

const fn seal(code: &'static str, tries: fn(&Refused<'_>) -> Option<String>) -> Mistake {
    refused(code, Proof::Seal, tries)
}

/// Every known mistake. `docs/doctor.md` lists them, and a test holds it to this table.
pub static MISTAKES: &[Mistake] = &[
    body("body.bom", body::bom),
    refused("body.gbk", Proof::Signature, body::gbk),
    body("body.declaration", body::declared),
    body("body.line_end_added", body::line_end_added),
    body("body.line_end_lost", body::line_end_lost),
    body("body.unescaped", body::unescaped),
    body("body.escaped", body::escaped),
    signature("signature.line_breaks", value::line_breaks),
    signature("signature.raw", value::raw),
    signature("signature.der", value::der),
    signature("signature.loose_der", value::loose_der),
    signature("signature.hex", value::hex),
    signature("signature.base64", value::base64),
    signature("signature.case", value::case),
    signature("signature.plus_lost", value::plus_lost),
    signature("signature.url_safe", value::url_safe),
    signature("signature.twice", value::twice),
    signature("key.serial_form", key::serial_form),
    signature("key.other_serial", key::other_serial),
    signature("key.sealing", key::sealing),
    signature("key.other_link", key::other_link),
    signature("key.own", key::own),
    refused("key.expired", Proof::Signature, key::expired),
    refused("key.early", Proof::Signature, key::early),
    refused("key.status", Proof::Signature, key::status),
    refused("window.old", Proof::Taken, key::too_old),
    refused("window.ahead", Proof::Taken, key::too_new),
    refused("announce.unproven", Proof::Read, announced::unproven),
    refused("announce.expired", Proof::Taken, announced::expired),
    refused("announce.other_key", Proof::Read, announced::other_key),
    signature("user_id.default", signing::default_user_id),
    signature("user_id.empty", signing::empty_user_id),
    signature("user_id.serial", signing::serial_user_id),
    signature("user_id.sender", signing::sender_user_id),
    signature("user_id.zero", signing::zero_user_id),
    signature("digest.once", signing::digest_once),
    signature("digest.twice", signing::digest_twice),
    signature("digest.hex", signing::digest_hex),
    signature("digest.upper_hex", signing::digest_upper_hex),
    signature("digest.no_z", signing::no_z),
    signature("digest.sha256", signing::sha256),
    signature("digest.unnamed", signing::no_digest_info),
    signature("digest.other", signing::other_digest),
    signature("mac.key_hashed", signing::hashed_key),
    signature("mac.other", signing::other_mac),
    signature("mac.key_form", signing::key_form),
    signature("fields.empty", text::pairs::empty_signed),
    signature("fields.type_signed", text::pairs::excluded_signed),
    signature("fields.type_unsigned", text::pairs::type_unsigned),
    signature("fields.uncovered", text::pairs::uncovered),
    signature("fields.unsorted", text::pairs::unsorted),
    signature("fields.caseless", text::pairs::caseless),
    signature("fields.separator", text::pairs::separator),
    signature("fields.values_only", text::pairs::values_only),
    signature("fields.suffix", text::pairs::suffix),
    signature("fields.quoted", text::pairs::quoted),
    signature("values.escaped", text::pairs::escaped),
    signature("slots.last_separator", text::fields::last_separator),
    signature("slots.absent", text::fields::absent_left_out),
    signature("slots.currency", text::fields::no_currency),
    signature("document.declaration", text::document::declaration),
    signature("document.line_end", text::document::line_end),
    signature("document.part", text::document::part),
    signature("document.white_space", text::document::white_space),
    signature("document.empty_elements", text::document::empty_elements),
    signature("document.attributes", text::document::attributes),
    signature("document.line_ends", text::document::line_ends),
    signature("json.white_space", text::json::white_space),
    signature("json.order", text::json::order),
    signature("json.escapes", text::json::escapes),
    signature("json.too_much", text::json::too_much),
    signature("lines.last", text::lines::last_line_feed),
    signature("lines.carriage_returns", text::lines::carriage_returns),
    signature("lines.query", text::lines::no_query),
    signature("lines.order", text::lines::order),
    signature("lines.body", text::lines::no_body),
    signature("text.gbk", text::gbk),
    seal("envelope.asn1", seal::asn1),
    seal("envelope.raw", seal::raw),
    seal("envelope.order", seal::order),
    seal("envelope.prefix", seal::prefix),
    seal("envelope.padding", seal::rsa_padding),
    seal("seal.other_key", seal::other_key),
    seal("seal.key_form", seal::key_form),
    seal("seal.filling", seal::filling),
    seal("seal.additional", seal::additional),
    seal("each.other_key", seal::each::other_key),
    seal("each.padding", seal::each::padding),
    seal("whole.other_key", seal::whole::other_key),
    seal("whole.additional", seal::whole::additional),
    seal("whole.derivation", seal::whole::derivation),
    seal("whole.tag_first", seal::whole::tag_first),
    refused("capsule.other_key", Proof::Taken, capsule::other_key),
    refused("seal.absent", Proof::Taken, link::unsealed),
    refused("seal.unexpected", Proof::Taken, link::sealed),
    refused("link.suite", Proof::Taken, link::suite),
    refused("link.other", Proof::Taken, link::link),
    refused("link.codec", Proof::Read, link::codec),
];
