//! Just enough AMQP 0-9-1 to publish a message that our client would never send.

use std::io::{Read, Write};
use std::net::TcpStream;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xCE;

/// Publishes to `queue` a message with one text header of the given bytes, and waits until the broker has read it.
pub(crate) fn publish_with_header(address: &str, queue: &str, header: &[u8]) {
    let mut link = TcpStream::connect(address).unwrap();
    link.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
    expect(&mut link, 10, 10);
    let start_ok = [table(&[]), short("PLAIN"), long(b"\0guest\0guest"), short("en_US")].concat();
    method(&mut link, 0, (10, 11), &start_ok);
    expect(&mut link, 10, 30);
    method(&mut link, 0, (10, 31), &[0, 8, 0, 2, 0, 0, 0, 0]);
    method(&mut link, 0, (10, 40), &[short("/"), short(""), vec![0]].concat());
    expect(&mut link, 10, 41);
    method(&mut link, 1, (20, 10), &short(""));
    expect(&mut link, 20, 11);
    method(
        &mut link,
        1,
        (60, 40),
        &[vec![0, 0], short(""), short(queue), vec![0]].concat(),
    );
    let entry = [short("note"), vec![b'S'], long(header)].concat();
    // Class 60, weight 0, body of 1 byte, only the property `headers`.
    let properties = [vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 0], table(&entry)].concat();
    frame(&mut link, HEADER, 1, &properties);
    frame(&mut link, BODY, 1, b"x");
    // The broker answers a channel's goodbye after everything that came before it.
    method(&mut link, 1, (20, 40), &[vec![0, 200], short(""), vec![0; 4]].concat());
    expect(&mut link, 20, 41);
}

fn method(link: &mut TcpStream, channel: u16, (class, method): (u16, u16), arguments: &[u8]) {
    let payload = [&class.to_be_bytes(), &method.to_be_bytes(), arguments].concat();
    frame(link, METHOD, channel, &payload);
}

fn frame(link: &mut TcpStream, kind: u8, channel: u16, payload: &[u8]) {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let frame = [&[kind], channel.to_be_bytes().as_slice(), &size, payload, &[FRAME_END]].concat();
    link.write_all(&frame).unwrap();
}

/// Reads one method frame, which must be this method.
fn expect(link: &mut TcpStream, class: u16, method: u16) {
    let mut head = [0; 7];
    link.read_exact(&mut head).unwrap();
    let size = u32::from_be_bytes(head[3..].try_into().unwrap());
    let mut payload = vec![0; size as usize + 1];
    link.read_exact(&mut payload).unwrap();
    let expected = [class.to_be_bytes(), method.to_be_bytes()].concat();
    assert_eq!(
        (head[0], &payload[..4]),
        (METHOD, expected.as_slice()),
        "{}",
        String::from_utf8_lossy(&payload)
    );
}

fn short(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn table(entries: &[u8]) -> Vec<u8> {
    long(entries)
}
