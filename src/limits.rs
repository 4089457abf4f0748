//! Every maximum of the gateway in one place; relations that must hold are asserted at compile time.

/// Serials reserved at a time; a crash loses at most these, and never reuses one.
pub const SERIAL_BLOCK: u32 = 1000;
/// Serial part of a MsgId: eight digits (facts/clearing.md 1.1).
pub const SERIAL_MAX: u64 = 99_999_999;
/// Exchanges that one link may have in flight, unless its config says less.
pub const IN_FLIGHT_MAX: usize = 4096;
/// Default of the same.
pub const IN_FLIGHT_DEFAULT: usize = 256;
/// Threads that work on messages.
pub const WORKERS_MAX: usize = 256;
/// Accepted requests that wait in one line for a place, unless the link's config says otherwise; only ids are kept.
pub const LINE_DEFAULT: usize = 1024;
pub const LINE_MAX: usize = 65_536;
/// A settlement date may lie ahead of the calendar by long holidays, and not by more.
pub const SETTLEMENT_DAYS_AHEAD_MAX: i64 = 15;
/// Dates of a message may lie ahead of the settlement date that is known, which may be behind itself.
pub const MESSAGE_DAYS_AHEAD_MAX: i64 = 30;
/// Messages that one wrapped SM4 key may serve, and for how long.
pub const ENVELOPE_MESSAGES_MAX: u32 = 100_000;
pub const ENVELOPE_SECONDS_MAX: u32 = 3_600;
pub const ENVELOPE_SECONDS_DEFAULT: u32 = 60;
/// Unwrapped SM4 keys that a link may keep.
pub const ENVELOPES_KEPT_MAX: usize = 4096;
/// Largest HTTP body taken.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// What is kept of a message larger than that.
pub const PARKED_BYTES_OF_TOO_LARGE: usize = 64 * 1024;
/// KiB of all bodies in hand of one HTTP link.
pub const BODIES_KIB_MAX: usize = 64 * 1024;
/// How many exchanges the sweeper takes up in one look.
pub const SWEEP_BATCH: u32 = 1024;
/// Revisits of one link at a time.
pub const REVISITS_MAX: usize = 64;
/// Of these, revisits of one institution and of one operation.
pub const REVISITS_INSTITUTION_MAX: usize = 16;
pub const REVISITS_OPERATION_MAX: usize = 32;
/// Between two looks of the sweeper.
pub const SWEEP_MS: u64 = 200;
/// How long the embedded journal's writer gathers, by default.
pub const GATHER_US: u64 = 1_200;
/// How long the embedded journal's writer may gather; a payment waits for two or three commits.
pub const GATHER_US_MAX: u64 = 20_000;
/// A lease lasts this long; it is renewed well before.
pub const LEASE_MS: i64 = 10_000;
pub const LEASE_RENEW_MS: u64 = 3_000;
/// Between two looks at the key folder.
pub const KEYS_LOOK_MS: u64 = 500;
/// Between two looks for releases that were asked for, how many are seen at a look, and how many are under way at a time.
pub const RELEASE_LOOK_MS: u64 = 1_000;
pub const RELEASES_LISTED: u32 = 256;
pub const RELEASES_MAX: usize = 16;
/// Between two looks for exchanges whose owner has gone.
pub const TAKE_OVER_MS: u64 = 1_000;
/// How far what finds no place steps aside for what is due behind it.
pub const ASIDE_MS: i64 = 1_000;
/// Hand-offs in hand at a time; they take no time.
pub const HAND_OFF_PREFETCH: u16 = 16;
/// Bytes of an instance's name, which stands in serials and queue names of bounded length.
pub const INSTANCE_BYTES_MAX: usize = 24;
/// Between two looks whether a device is there.
pub const DEVICES_LOOK_MS: u64 = 2_000;
/// Between two looks for exchanges that are old enough to go.
pub const PRUNE_S: u64 = 3_600;
/// Connections to a database that may write the journal.
pub const JOURNAL_CONNECTIONS_MAX: usize = 64;
/// HTTP connections that an idle pool keeps for one link.
pub const POOL_IDLE_MAX: usize = 64;
/// Requests of one TCP connection in hand; the next is read when one of them is answered.
pub const FRAMES_IN_HAND_MAX: usize = 64;
/// How long a TCP connection may be kept without a frame.
pub const IDLE_S_MAX: u64 = 86_400;
/// Keys that counterparties have announced and nobody has decided on.
pub const ANNOUNCED_MAX: usize = 256;
/// Between two looks for keys of ours to announce.
pub const DISTRIBUTE_LOOK_MS: u64 = 1_000;
/// Connections to the admin port.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Request heads: count and bytes.
pub const HEADERS_MAX: usize = 64;

const _: () = assert!(
    SETTLEMENT_DAYS_AHEAD_MAX <= MESSAGE_DAYS_AHEAD_MAX,
    "a message of the newest settlement date is in range"
);
const _: () = assert!(
    LEASE_RENEW_MS * 3 <= LEASE_MS as u64,
    "two renewals may fail before a lease ends"
);
const _: () = assert!(
    ENVELOPE_SECONDS_DEFAULT <= ENVELOPE_SECONDS_MAX,
    "the default stays within the maximum"
);
const _: () = assert!(BODY_BYTES_MAX / 1024 < BODIES_KIB_MAX, "the largest body fits");
const _: () = assert!(IN_FLIGHT_DEFAULT <= IN_FLIGHT_MAX, "the default stays within the maximum");
const _: () = assert!(SERIAL_MAX < 100_000_000, "a MsgId has eight digits of serial");
const _: () = assert!(SERIAL_BLOCK as u64 <= SERIAL_MAX, "a block fits into the serial's digits");
