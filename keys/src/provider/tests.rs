#![allow(clippy::unwrap_in_result, reason = "tests fail by panicking")]

use super::soft::{Levers, SoftStore, key_bytes};
use super::{Device, DeviceFault, DevicePassword, Limits, Placed};
use crate::error::CryptoError;
use crate::key::{Side, Status, Usage};
use crate::keyring::Keyring;
use crate::sm2::{Ciphertext, DEFAULT_USER_ID, Engine};
use crate::testing::{NOW, SeededRng, entry, gmt_key, gmt_public};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

/// A keyring whose two private keys lie in one soft store, the store's levers, and the device.
fn placed(sessions: usize, call_ms: u64) -> (Keyring, Arc<Levers>, Arc<Device>) {
    let levers = Arc::new(Levers::default());
    let limits = Limits {
        sessions,
        call: Duration::from_millis(call_ms),
    };
    let store = SoftStore {
        key: key_bytes(),
        levers: levers.clone(),
    };
    let device = Arc::new(Device::new("soft", limits, store));
    let at = || Placed {
        device: device.clone(),
        label: "1".to_owned(),
    };
    let keyring = Keyring::builder()
        .add_placed(
            entry("nps", Side::Ours, Usage::Sign, Status::Primary, "1"),
            &gmt_public(),
            at(),
        )
        .add_placed(
            entry("nps", Side::Ours, Usage::Seal, Status::Primary, "2"),
            &gmt_public(),
            at(),
        );
    (keyring.build().unwrap(), levers, device)
}

fn sign(keyring: &Keyring) -> Result<(), CryptoError> {
    let signer = keyring.signer("nps", NOW).unwrap();
    let signature = signer.sm2().unwrap().sign(b"m", &mut SeededRng::new(1))?;
    let verifier = Engine::Reference.verifier(&gmt_public(), DEFAULT_USER_ID).unwrap();
    verifier.verify(b"m", &signature)
}

fn unwrap(keyring: &Keyring, ciphertext: &Ciphertext) -> Result<Vec<u8>, CryptoError> {
    let ours = keyring.unwrapper("nps", "2", NOW).unwrap();
    let opened = ours.sm2().unwrap().unwrap(ciphertext)?;
    Ok(opened.danger_expose().to_vec())
}

fn wrapped() -> Ciphertext {
    Engine::Reference
        .wrapper(&gmt_public())
        .wrap(b"sixteen bytes ok", &mut SeededRng::new(3))
        .unwrap()
}

#[test]
fn a_key_in_a_device_signs_and_opens_like_one_from_a_file() {
    let (keyring, _, device) = placed(2, 10_000);
    assert_eq!(sign(&keyring), Ok(()));
    assert_eq!(unwrap(&keyring, &wrapped()), Ok(b"sixteen bytes ok".to_vec()));
    assert!(keyring.placements().iter().all(|placement| placement.probe.probe().is_ok()));
    let health = device.health();
    assert_eq!((health.is_up, health.calls, health.last), (Some(true), 4, None));
}

/// Or a running gateway would not take up that a key has moved.
#[test]
fn a_key_in_a_device_and_the_same_key_in_a_file_make_two_keyrings() {
    let key = || entry("nps", Side::Ours, Usage::Sign, Status::Primary, "1");
    let (_, _, device) = placed(1, 10_000);
    let at = |label: &str| Placed {
        device: device.clone(),
        label: label.to_owned(),
    };
    let built = [
        Keyring::builder().add_private(key(), &gmt_key()),
        Keyring::builder().add_placed(key(), &gmt_public(), at("1")),
        Keyring::builder().add_placed(key(), &gmt_public(), at("2")),
    ];
    let versions: BTreeSet<String> = built
        .into_iter()
        .map(|made| made.build().unwrap().version().to_owned())
        .collect();
    assert_eq!(versions.len(), 3);
}

#[test]
fn a_lost_device_is_named_and_opened_anew_when_it_is_back() {
    let (keyring, levers, device) = placed(1, 10_000);
    assert_eq!(sign(&keyring), Ok(()));
    levers.is_gone.store(true, Ordering::SeqCst);
    assert_eq!(sign(&keyring), Err(CryptoError::Device(DeviceFault::Gone)));
    assert_eq!(unwrap(&keyring, &wrapped()), Err(CryptoError::Device(DeviceFault::Gone)));
    assert_eq!(device.health().is_up, Some(false));
    levers.is_gone.store(false, Ordering::SeqCst);
    assert_eq!(sign(&keyring), Ok(()));
    assert_eq!((levers.opened.load(Ordering::SeqCst), device.health().is_up), (2, Some(true)));
}

#[test]
fn a_bad_envelope_and_a_bad_device_are_told_apart() {
    let (keyring, levers, _) = placed(1, 10_000);
    let mut altered = wrapped();
    altered.c3[0] ^= 1;
    assert_eq!(unwrap(&keyring, &altered), Err(CryptoError::Ciphertext));
    let mut off = wrapped();
    off.c1[63] ^= 1;
    assert_eq!(unwrap(&keyring, &off), Err(CryptoError::Ciphertext));
    levers.code.store(0x0100_000c, Ordering::SeqCst);
    let named = Err(CryptoError::Device(DeviceFault::Code(0x0100_000c)));
    assert_eq!(unwrap(&keyring, &altered), named);
    assert_eq!(unwrap(&keyring, &wrapped()), named);
    assert_eq!(sign(&keyring), Err(CryptoError::Device(DeviceFault::Code(0x0100_000c))));
}

#[test]
fn a_wrong_signature_of_a_device_is_never_given_out() {
    let (keyring, levers, device) = placed(1, 10_000);
    levers.spoils.store(true, Ordering::SeqCst);
    assert_eq!(sign(&keyring), Err(CryptoError::Device(DeviceFault::Wrong)));
    assert_eq!(device.health().faults.get("wrong"), Some(&1));
}

#[test]
fn a_hanging_call_costs_its_thread_and_nobody_else() {
    let (keyring, levers, device) = placed(1, 100);
    levers.hang(true);
    assert_eq!(sign(&keyring), Err(CryptoError::Device(DeviceFault::Hung)));
    assert_eq!(device.health().stuck, 1);
    assert_eq!(sign(&keyring), Err(CryptoError::Device(DeviceFault::Hung)));
    levers.hang(false);
    // Whoever is slow on a busy machine is answered in the end, by a thread that is not one of the two.
    assert!((0..100).any(|_| sign(&keyring).is_ok()));
    assert!((0..1_000_000).any(|_| {
        std::thread::yield_now();
        device.health().stuck == 0
    }));
}

#[test]
fn threads_that_hang_are_replaced_a_limited_number_of_times() {
    let (keyring, levers, device) = placed(1, 10);
    levers.hang(true);
    for _ in 0..40 {
        assert!(matches!(
            sign(&keyring),
            Err(CryptoError::Device(DeviceFault::Hung | DeviceFault::Busy))
        ));
    }
    let health = device.health();
    assert_eq!((health.able, health.stuck), (0, 17));
    levers.hang(false);
    assert!((0..1_000_000).any(|_| {
        std::thread::yield_now();
        sign(&keyring).is_ok()
    }));
}

#[test]
fn a_refused_password_is_not_offered_again_until_it_is_another() {
    let (current, offered) = (Arc::new(AtomicU32::new(1)), AtomicU32::new(0));
    let read = current.clone();
    let password = DevicePassword::new(move || Some(Zeroizing::new(read.load(Ordering::SeqCst).to_string())));
    let offer = || {
        password.offer(|given| {
            offered.fetch_add(1, Ordering::SeqCst);
            if given.as_str() == "2" {
                Ok(())
            } else {
                Err(DeviceFault::Denied)
            }
        })
    };
    assert_eq!([offer(), offer(), offer()], [Err(DeviceFault::Denied); 3]);
    assert_eq!(offered.load(Ordering::SeqCst), 1);
    current.store(2, Ordering::SeqCst);
    assert_eq!([offer(), offer()], [Ok(()); 2]);
    assert_eq!(offered.load(Ordering::SeqCst), 3);
}

/// A library's exit handlers must not meet a session in use.
#[test]
fn a_closed_device_has_no_thread_and_no_session_and_is_asked_nothing() {
    let (keyring, levers, device) = placed(3, 10_000);
    for _ in 0..8 {
        assert_eq!(sign(&keyring), Ok(()));
    }
    device.close();
    let (opened, closed) = (levers.opened.load(Ordering::SeqCst), levers.closed.load(Ordering::SeqCst));
    assert!(opened >= 1 && opened == closed, "{opened} opened, {closed} closed");
    assert_eq!((device.health().able, device.health().stuck), (0, 0));
    assert_eq!(sign(&keyring), Err(CryptoError::Device(DeviceFault::Gone)));
    drop((keyring, device));
    assert_eq!(levers.opened.load(Ordering::SeqCst), opened);
}

#[test]
fn a_device_that_hangs_does_not_keep_a_process_from_ending() {
    let (keyring, levers, device) = placed(1, 50);
    levers.hang(true);
    assert_eq!(sign(&keyring), Err(CryptoError::Device(DeviceFault::Hung)));
    device.close();
    assert_eq!(device.health().stuck, 1, "it is left behind");
    levers.hang(false);
}

/// The soft store has no random bytes, as a device may not have them for us: then a session is enough of an answer.
#[test]
fn a_probe_finds_a_device_gone_and_back_without_a_key() {
    let (_, levers, device) = placed(1, 10_000);
    assert_eq!((device.probe(), device.health().is_up), (Ok(()), Some(true)));
    let (_, levers_of_another, another) = placed(1, 10_000);
    levers_of_another.is_gone.store(true, Ordering::SeqCst);
    assert_eq!(
        (another.probe(), another.health().is_up),
        (Err(DeviceFault::Gone), Some(false))
    );
    levers_of_another.is_gone.store(false, Ordering::SeqCst);
    assert_eq!((another.probe(), another.health().is_up), (Ok(()), Some(true)));
    assert_eq!(levers.opened.load(Ordering::SeqCst), 1);
}
