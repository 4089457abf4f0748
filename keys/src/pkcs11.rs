//! Devices that speak PKCS #11 (OASIS, 2.40 to 3.2), by their vendor's library: RSA signatures, OAEP, HMAC-SHA256, AES-GCM.
//!
//! PKCS #11 names no SM2. Vendors have mechanisms of their own for it, under numbers of their own: `sm2_sign` is such a number,
//! whose mechanism takes e and gives r||s. What it gives is verified like everything that a device signs.

use crate::legacy::RsaPadding;
use crate::provider::{DeviceFault, DevicePassword, Open, Provider};
use crate::secret::Secret;
use crate::sm2::Signature;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource};
use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// One token of one library.
pub struct Pkcs11Token {
    /// The vendor's library.
    pub library: PathBuf,
    /// The token by its label.
    pub token: String,
    pub password: DevicePassword,
    /// Number of the vendor's mechanism that signs e with SM2, if there is one.
    pub sm2_sign: Option<u64>,
    /// The library, loaded and initialized by the first session.
    pub context: Pkcs11Context,
}

/// What the sessions of one token share. Opaque; begins empty.
#[derive(Default)]
pub struct Pkcs11Context(Mutex<Option<Pkcs11>>);

impl Open for Pkcs11Token {
    fn open(&self) -> Result<Box<dyn Provider>, DeviceFault> {
        let context = self.context()?;
        let session = self.session(&context).map_err(|error| {
            let fault = fault(&error);
            // A device that is gone says so in many ways while a session is opened.
            let has_number = matches!(fault, DeviceFault::Code(_));
            if has_number { DeviceFault::Gone } else { fault }
        })?;
        self.password.offer(|pin| {
            // The library wipes it; secrecy's string is made once.
            let pin = AuthPin::new(pin.as_str().into());
            match session.login(UserType::User, Some(&pin)) {
                Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
                Err(error) => Err(fault(&error)),
            }
        })?;
        Ok(Box::new(TokenSession {
            session,
            sm2_sign: self.sm2_sign,
            found: BTreeMap::new(),
        }))
    }
}

impl Pkcs11Token {
    fn context(&self) -> Result<Pkcs11, DeviceFault> {
        let mut shared = self.context.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = &*shared {
            return Ok(context.clone());
        }
        let context = Pkcs11::new(&self.library).map_err(|_| DeviceFault::Gone)?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another token of the same library was first.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(_) => return Err(DeviceFault::Gone),
        }
        *shared = Some(context.clone());
        Ok(context)
    }

    fn session(&self, context: &Pkcs11) -> Result<Session, Error> {
        for slot in context.get_slots_with_token()? {
            if context.get_token_info(slot)?.label().trim_end() == self.token {
                return context.open_ro_session(slot);
            }
        }
        Err(Error::Pkcs11(
            RvError::TokenNotPresent,
            cryptoki::context::Function::GetSlotList,
        ))
    }
}

struct TokenSession {
    session: Session,
    sm2_sign: Option<u64>,
    /// Handles hold as long as the session.
    found: BTreeMap<(String, bool), ObjectHandle>,
}

impl TokenSession {
    fn private(&mut self, label: &str) -> Result<ObjectHandle, DeviceFault> {
        self.find(label, ObjectClass::PRIVATE_KEY, true)
    }

    fn secret(&mut self, label: &str) -> Result<ObjectHandle, DeviceFault> {
        self.find(label, ObjectClass::SECRET_KEY, false)
    }

    /// The one key of that label: of two, none is chosen.
    fn find(&mut self, label: &str, class: ObjectClass, is_private: bool) -> Result<ObjectHandle, DeviceFault> {
        let name = (label.to_owned(), is_private);
        if let Some(handle) = self.found.get(&name) {
            return Ok(*handle);
        }
        let template = [Attribute::Class(class), Attribute::Label(label.as_bytes().to_vec())];
        let found = self.session.find_objects(&template).map_err(|error| fault(&error))?;
        let [handle] = found[..] else { return Err(DeviceFault::NoKey) };
        self.found.insert(name, handle);
        Ok(handle)
    }

    fn sign(&self, mechanism: &Mechanism<'_>, key: ObjectHandle, content: &[u8]) -> Result<Vec<u8>, DeviceFault> {
        self.session.sign(mechanism, key, content).map_err(|error| fault(&error))
    }
}

impl Provider for TokenSession {
    fn sign_sm2(&mut self, label: &str, e: &[u8; 32]) -> Result<Signature, DeviceFault> {
        let number = self.sm2_sign.ok_or(DeviceFault::Unsupported)?;
        let kind = MechanismType::new_vendor_defined(number).map_err(|_| DeviceFault::Unsupported)?;
        let mechanism = Mechanism::VendorDefined(VendorDefinedMechanism::new::<()>(kind, None));
        let key = self.private(label)?;
        let signature = self.sign(&mechanism, key, e)?;
        signature.try_into().map_err(|_| DeviceFault::Wrong)
    }

    fn sign_rsa(&mut self, label: &str, content: &[u8]) -> Result<Vec<u8>, DeviceFault> {
        let key = self.private(label)?;
        self.sign(&Mechanism::RsaPkcs, key, content)
    }

    fn unwrap_rsa(&mut self, label: &str, padding: RsaPadding, ciphertext: &[u8]) -> Result<Secret, DeviceFault> {
        let (hash, mask) = match padding {
            RsaPadding::OaepSha1 => (MechanismType::SHA1, PkcsMgfType::MGF1_SHA1),
            RsaPadding::OaepSha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
            RsaPadding::Pkcs1 => return Err(DeviceFault::Unsupported),
        };
        let key = self.private(label)?;
        let mechanism = Mechanism::RsaPkcsOaep(PkcsOaepParams::new(hash, mask, PkcsOaepSource::empty()));
        let opened = self.session.decrypt(&mechanism, key, ciphertext);
        opened.map(Secret::new).map_err(|error| fault(&error))
    }

    fn hmac_sha256(&mut self, label: &str, text: &[u8]) -> Result<Vec<u8>, DeviceFault> {
        let key = self.secret(label)?;
        self.sign(&Mechanism::Sha256Hmac, key, text)
    }

    fn wrap_secret(&mut self, label: &str, mut nonce: [u8; 12], clear: &[u8]) -> Result<Vec<u8>, DeviceFault> {
        let key = self.secret(label)?;
        let parameters = GcmParams::new(&mut nonce, &[], TAG_BITS.into()).map_err(|error| fault(&error))?;
        let wrapped = self.session.encrypt(&Mechanism::AesGcm(parameters), key, clear);
        wrapped.map_err(|error| fault(&error))
    }

    fn unwrap_secret(&mut self, label: &str, mut nonce: [u8; 12], wrapped: &[u8]) -> Result<Secret, DeviceFault> {
        let key = self.secret(label)?;
        let parameters = GcmParams::new(&mut nonce, &[], TAG_BITS.into()).map_err(|error| fault(&error))?;
        let opened = self.session.decrypt(&Mechanism::AesGcm(parameters), key, wrapped);
        opened.map(Secret::new).map_err(|error| fault(&error))
    }

    fn random(&mut self, target: &mut [u8]) -> Result<(), DeviceFault> {
        self.session.generate_random_slice(target).map_err(|error| fault(&error))
    }
}

fn fault(error: &Error) -> DeviceFault {
    match error {
        Error::Pkcs11(code, _) => of_code(*code),
        Error::NotSupported | Error::NullFunctionPointer | Error::MissingSymbol(_) => DeviceFault::Unsupported,
        Error::LibraryLoading(_) => DeviceFault::Gone,
        Error::TryFromInt(_)
        | Error::TryFromSlice(_)
        | Error::ParseInt(_)
        | Error::Utf8(_)
        | Error::NulError(_)
        | Error::InvalidValue
        | Error::PinNotSet => DeviceFault::Wrong,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "PKCS #11 has a hundred codes; what is not told apart is one fault"
)]
fn of_code(code: RvError) -> DeviceFault {
    match code {
        RvError::DeviceRemoved
        | RvError::DeviceError
        | RvError::TokenNotPresent
        | RvError::TokenNotRecognized
        | RvError::SlotIdInvalid
        | RvError::SessionClosed
        | RvError::SessionHandleInvalid
        | RvError::UserNotLoggedIn
        | RvError::CryptokiNotInitialized
        // Handles are forgotten with the session, and looked up anew in the next one.
        | RvError::KeyHandleInvalid
        | RvError::ObjectHandleInvalid => DeviceFault::Gone,
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange | RvError::PinExpired | RvError::PinLocked => {
            DeviceFault::Denied
        }
        RvError::UserPinNotInitialized => DeviceFault::Denied,
        RvError::MechanismInvalid
        | RvError::MechanismParamInvalid
        | RvError::KeyTypeInconsistent
        | RvError::KeyFunctionNotPermitted
        | RvError::FunctionNotSupported => DeviceFault::Unsupported,
        RvError::GeneralError => DeviceFault::Code(0x05),
        RvError::FunctionFailed => DeviceFault::Code(0x06),
        RvError::EncryptedDataInvalid => DeviceFault::Code(0x40),
        RvError::EncryptedDataLenRange => DeviceFault::Code(0x41),
        _ => DeviceFault::Code(OTHER),
    }
}

const TAG_BITS: u64 = 128;
/// A code that the binding gives no number for.
const OTHER: u64 = 0xffff_ffff;

#[cfg(test)]
mod tests;
