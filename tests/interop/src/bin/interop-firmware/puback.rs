//! As much of an MQTT 5 broker as one publisher needs: every message is acknowledged and forgotten.
//! A real one would be slower, so this favours MQTT.

use anyhow::{Result, bail};
use core::net::Ipv4Addr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Kinds of packets: the upper half of their first byte.
const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PINGREQ: u8 = 12;

/// Listens on a port of its own, which is given back.
pub(crate) fn start() -> Result<u16> {
    let port = klamm_interop::ports::free()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Ends when the client does.
            std::thread::spawn(move || serve(&client));
        }
    });
    Ok(port)
}

fn serve(client: &TcpStream) -> Result<()> {
    client.set_nodelay(true)?;
    let mut reader = BufReader::new(client);
    let mut writer = client;
    let mut answers = Vec::new();
    loop {
        let mut first = [0];
        reader.read_exact(&mut first)?;
        let mut packet = vec![0; remaining_length(&mut reader)?];
        reader.read_exact(&mut packet)?;
        match first[0] >> 4 {
            // No session, success, no properties.
            CONNECT => answers.extend_from_slice(&[0x20, 3, 0, 0, 0]),
            PUBLISH => answers.extend_from_slice(&[
                0x40,
                2,
                identifier(&packet)?.0,
                identifier(&packet)?.1,
            ]),
            PINGREQ => answers.extend_from_slice(&[0xD0, 0]),
            _ => {}
        }
        // What came together is answered together.
        if reader.buffer().is_empty() {
            writer.write_all(&answers)?;
            answers.clear();
        }
    }
}

/// Seven bits a byte, the lowest first.
fn remaining_length(reader: &mut impl BufRead) -> Result<usize> {
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7F) << shift;
        if byte[0] < 0x80 {
            return Ok(length);
        }
    }
    bail!("a length that does not end")
}

/// The number by which a message is acknowledged; it stands behind the topic.
fn identifier(publish: &[u8]) -> Result<(u8, u8)> {
    let [high, low, rest @ ..] = publish else { bail!("a message without a topic") };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let Some([high, low]) = rest.get(length..length + 2) else {
        bail!("a message without a number")
    };
    Ok((*high, *low))
}
