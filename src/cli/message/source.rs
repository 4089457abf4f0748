//! The bytes of one message from a file or standard input.

use crate::cli::output::{Exit, Failure};
use codecs::sample::Sample;
use codecs::wire::Wire;
use hangu::record;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// One message, and what its file says about the link.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) wire: Wire,
    /// Set by a sample file whose bytes are of a link with sealing switched.
    pub(super) sealing: Option<bool>,
}

/// Reads a message: a sample file, the record form, or else the bytes of a queue message.
pub(super) fn read(path: &Path) -> Result<Source, Failure> {
    let place = path.display().to_string();
    let failed = |error: std::io::Error| Failure::new(Exit::Usage, place.clone(), format!("cannot be read: {error}"));
    let bytes = if path == Path::new("-") {
        read_bounded(std::io::stdin().lock()).map_err(failed)?
    } else {
        File::open(path).and_then(read_bounded).map_err(failed)?
    };
    of_bytes(bytes, &place).map_err(|detail| Failure::new(Exit::Usage, place, detail))
}

/// Bytes to a message; how they start says which form they have.
pub(super) fn of_bytes(bytes: Vec<u8>, place: &str) -> Result<Source, String> {
    if bytes.starts_with(SAMPLE_START) {
        let text = std::str::from_utf8(&bytes).map_err(|_| "starts like a sample file, but is not UTF-8".to_owned())?;
        let Sample { wire, sealing, .. } = Sample::parse("sample", place, text)?;
        return Ok(Source { wire, sealing });
    }
    let wire = if RECORD_STARTS.iter().any(|start| bytes.starts_with(start)) {
        record::decode(&bytes).ok_or(NOT_A_RECORD)?
    } else {
        Wire::queue(bytes)
    };
    Ok(Source { wire, sealing: None })
}

fn read_bounded(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("longer than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

const SAMPLE_START: &[u8] = b"expect: ";
const RECORD_STARTS: [&[u8]; 3] = [b"QUEUE\n", b"REQUEST ", b"STATUS "];
const NOT_A_RECORD: &str =
    "starts like a recorded message, but its head is not: start line, `name: value` lines, empty line, body";

/// Larger than any codec's limit, so that the codec's own refusal is seen.
const FILE_BYTES_MAX: u64 = 16 << 20;
