//! This process as others see it: the claim on the instance's name.

use super::SystemEntropy;
use crate::clock::Entropy;
use crate::exchange::{Claim, Gateway, Life, Trouble};
use crate::limits;
use std::time::Duration;

/// Claims the instance's name. A claim that stands is watched for a lease: one that is renewed meanwhile belongs to a living
/// process, and two under one name must not run; one that is not belongs to a dead one.
pub(super) async fn claim_name(gateway: &Gateway) -> Result<(), Trouble> {
    let life = life();
    // Whoever has the embedded journal open has it alone.
    let is_alone = gateway.config().journal.file.is_some();
    let is_over = |claim: &Claim| is_alone || has_ended(&claim.life.place);
    let Some(first) = gateway.claim_name(&life, is_over).await? else {
        return Ok(());
    };
    let instance = &gateway.config().instance;
    tracing::warn!(
        instance,
        "another process bears this instance's name, or ended without a word: waiting for its lease"
    );
    for _ in 0..WATCHES {
        tokio::time::sleep(WATCH_PAUSE).await;
        match gateway.claim_name(&life, is_over).await? {
            None => return Ok(()),
            Some(claim) if claim == first => {}
            Some(_) => return Err(Trouble::NameTaken(instance.clone())),
        }
    }
    // Not renewed for a whole lease by our own clock, whatever its clock says.
    let is_first = |claim: &Claim| *claim == first;
    match gateway.claim_name(&life, is_first).await? {
        None => Ok(()),
        Some(_) => Err(Trouble::NameTaken(instance.clone())),
    }
}

fn life() -> Life {
    let mut bytes = [0; 8];
    SystemEntropy.fill(&mut bytes);
    Life {
        run: format!("{:016x}", u64::from_be_bytes(bytes)),
        place: place_of("self").unwrap_or_default(),
    }
}

/// Whether the process at a place has certainly ended: only what this machine, since it booted, can see with these eyes.
fn has_ended(place: &str) -> bool {
    let Some((surroundings, process)) = place.rsplit_once('/') else {
        return false;
    };
    let number = process.split('@').next().unwrap_or_default();
    let is_here = surroundings_of_self().is_some_and(|ours| ours == surroundings);
    is_here && number.parse::<u32>().is_ok() && place_of(number).is_none_or(|there| there != place)
}

/// `boot id.namespace of process numbers/process number@start time`, where the kernel tells them.
fn place_of(process: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let number = stat.split(' ').next()?;
    // The name of the program stands in parentheses and may hold anything; the start time is the 20th field after it.
    let (_, after) = stat.rsplit_once(')')?;
    let started = after.split_whitespace().nth(19)?;
    Some(format!("{}/{number}@{started}", surroundings_of_self()?))
}

fn surroundings_of_self() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}.{}", boot.trim(), namespace.display()))
}

const WATCH_PAUSE: Duration = Duration::from_millis(500);
/// Until a lease has passed, and a little more.
const WATCHES: u64 = limits::LEASE_MS.unsigned_abs() / 500 + 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_told_from_the_living() {
        let ours = life().place;
        assert!(!ours.is_empty());
        assert!(!has_ended(&ours), "this process lives: {ours}");
        let (surroundings, process) = ours.rsplit_once('/').unwrap();
        let number = process.split('@').next().unwrap();
        assert!(
            has_ended(&format!("{surroundings}/{number}@1")),
            "another life of the same number"
        );
        assert!(
            has_ended(&format!("{surroundings}/4194305@1")),
            "a number above every process"
        );
        assert!(!has_ended("elsewhere.pid:[1]/4194305@1"), "nobody can tell from here");
        assert!(!has_ended(""));
    }
}
