//! A ZIP archive of files as they are, without compression; names in GBK, as some institutions write them.

use super::StatementFile;
use super::texts::gbk;

/// One archive of all the files.
pub fn zip(files: &[StatementFile]) -> Result<Vec<u8>, String> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for file in files {
        let name = gbk(&file.name)?;
        let offset = size(archive.len())?;
        let facts = facts(&name, &file.bytes)?;
        archive.extend(b"PK\x03\x04");
        archive.extend(&facts);
        archive.extend(&name);
        archive.extend(&file.bytes);
        // Made by version 2.0; what follows the facts: comment, disk, attributes, place.
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&facts);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(&name);
    }
    let (start, length) = (size(archive.len())?, size(directory.len())?);
    let count = u16::try_from(files.len()).map_err(|error| error.to_string())?;
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\x00\x00\x00\x00");
    archive.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    archive.extend([length.to_le_bytes(), start.to_le_bytes()].concat());
    archive.extend([0; 2]);
    Ok(archive)
}

/// What both headers of a file have in common: version, flags, method, time, checksum, sizes, length of the name.
fn facts(name: &[u8], bytes: &[u8]) -> Result<Vec<u8>, String> {
    let length = size(bytes.len())?.to_le_bytes();
    let name_length = u16::try_from(name.len()).map_err(|error| error.to_string())?;
    // The first of January 1980, at which the format's time begins: the same files make the same archive.
    let head: [u8; 10] = [20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    Ok([
        &head[..],
        &crc32(bytes).to_le_bytes(),
        &length,
        &length,
        &name_length.to_le_bytes(),
        &[0; 2],
    ]
    .concat())
}

fn size(length: usize) -> Result<u32, String> {
    u32::try_from(length).map_err(|_too_large| "larger than a ZIP archive of this kind".to_owned())
}

/// CRC-32 of ISO 3309, bit by bit: statements are small.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 };
        }
    }
    !sum
}

const POLYNOMIAL: u32 = 0xedb8_8320;
