//! The bytes of a message that its last element authenticates: from the message type, behind the header, to before the MAC.

/// `None` where a message is too short to have both.
pub(crate) fn text(body: &[u8], header_bytes: usize, mac_bytes: usize) -> Option<&[u8]> {
    body.get(header_bytes..body.len().checked_sub(mac_bytes)?)
}
