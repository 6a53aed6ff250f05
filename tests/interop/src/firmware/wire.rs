//! Sits in the cable between a machine and QEMU's user network: loses what asks for an address, and
//! answers what asks for a name, both as a test wants it. That needs no privileges, as a name
//! server of one's own would.

use crate::run_dir::RunDir;
use anyhow::{Context, Result};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

/// What becomes of the first packets of each kind; those after it are served.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// DHCP packets that are lost.
    pub dhcp_lost: usize,
    /// Names asked for in vain: no answer.
    pub dns_lost: usize,
    /// And then: the server says that it has failed.
    pub dns_failed: usize,
    /// The address of every name.
    pub address: [u8; 4],
}

/// How many packets of each kind came by.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    dhcp: AtomicUsize,
    dns: AtomicUsize,
}

impl Wire {
    /// Waits for a QEMU that is started with the options given back, and does as planned.
    ///
    /// # Errors
    /// If there are no sockets.
    pub fn listen(run: &RunDir, name: &str, plan: Plan) -> Result<(Self, Vec<OsString>)> {
        let mut options = Vec::new();
        let mut listeners = Vec::new();
        for end in ["from", "on", "back"] {
            let path = run.file(&format!("{name}.{end}"));
            listeners.push(UnixListener::bind(&path).context("no socket for the wire")?);
            options.push("-chardev".into());
            options.push(format!("socket,id={end},path={}", path.display()).into());
        }
        // `rx` is what the user network is sent. Of the two filters the first keeps every frame
        // from it and lets in what comes back from here; the other one sends to the machine.
        for filter in
            ["id=f0,netdev=n0,queue=rx,outdev=from,indev=on", "id=f1,netdev=n0,queue=tx,indev=back"]
        {
            options.push("-object".into());
            options.push(format!("filter-redirector,{filter}").into());
        }
        let wire = Self::default();
        let counts = Arc::clone(&wire.counts);
        std::thread::spawn(move || {
            // Ends with the sockets when QEMU does.
            let _ = serve(&listeners, plan, &counts);
        });
        Ok((wire, options))
    }

    /// DHCP packets that the machine sent.
    pub fn dhcp(&self) -> usize {
        self.counts.dhcp.load(Ordering::Relaxed)
    }

    /// Names that the machine asked for.
    pub fn dns(&self) -> usize {
        self.counts.dns.load(Ordering::Relaxed)
    }
}

fn serve(listeners: &[UnixListener], plan: Plan, counts: &Counts) -> Result<()> {
    let mut ends = listeners.iter().map(|listener| listener.accept().map(|(end, _)| end));
    let mut end = || ends.next().context("three sockets").and_then(|end| Ok(end?));
    let (mut from, mut on, mut back) = (end()?, end()?, end()?);
    loop {
        let frame = receive(&mut from)?;
        match destination_port(&frame) {
            Some(67) => {
                if counts.dhcp.fetch_add(1, Ordering::Relaxed) >= plan.dhcp_lost {
                    send(&mut on, &frame)?;
                }
            }
            Some(53) => {
                let before = counts.dns.fetch_add(1, Ordering::Relaxed);
                if let Some(before) = before.checked_sub(plan.dns_lost) {
                    let address = (before >= plan.dns_failed).then_some(plan.address);
                    if let Some(answer) = answer(&frame, address) {
                        send(&mut back, &answer)?;
                    }
                }
            }
            _ => send(&mut on, &frame)?,
        }
    }
}

/// QEMU's framing: the length in four bytes, then the frame.
fn receive(from: &mut UnixStream) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

fn send(to: &mut UnixStream, frame: &[u8]) -> Result<()> {
    to.write_all(&u32::try_from(frame.len())?.to_be_bytes())?;
    Ok(to.write_all(frame)?)
}

/// Ethernet, then IPv4 without options, then UDP: what the machines here send.
const IP: usize = 14;
const UDP: usize = IP + 20;
const DNS: usize = UDP + 8;

fn destination_port(frame: &[u8]) -> Option<u16> {
    let is_udp = frame.get(12..IP + 1)? == [8, 0, 0x45] && frame.get(IP + 9)? == &17;
    let port = frame.get(UDP + 2..UDP + 4)?;
    is_udp.then(|| u16::from_be_bytes([port[0], port[1]]))
}

/// The answer to a frame that asks for a name; `None` says that the server has failed.
fn answer(question: &[u8], address: Option<[u8; 4]>) -> Option<Vec<u8>> {
    let mut frame = question.to_vec();
    // To whom it came from: cards, addresses, ports.
    let swap = |frame: &mut Vec<u8>, a: usize, b: usize, length: usize| {
        (0..length).for_each(|at| frame.swap(a + at, b + at));
    };
    swap(&mut frame, 0, 6, 6);
    swap(&mut frame, IP + 12, IP + 16, 4);
    swap(&mut frame, UDP, UDP + 2, 2);
    let header = frame.get_mut(DNS..DNS + 12)?;
    header[2] = 0x81;
    header[3] = if address.is_some() { 0x80 } else { 0x82 };
    if let Some(address) = address {
        header[7] = 1;
        // The name that was asked for, type A, class IN, for a minute.
        frame.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        frame.extend_from_slice(&address);
    }
    let length = |from: usize| u16::try_from(frame.len() - from).map(u16::to_be_bytes).ok();
    let (ip, udp) = (length(IP)?, length(UDP)?);
    frame[IP + 2..IP + 4].copy_from_slice(&ip);
    frame[UDP + 4..UDP + 6].copy_from_slice(&udp);
    // UDP goes without a checksum, IPv4 does not.
    frame[UDP + 6..UDP + 8].fill(0);
    frame[IP + 10..IP + 12].fill(0);
    let sum = checksum(&frame[IP..UDP]);
    frame[IP + 10..IP + 12].copy_from_slice(&sum.to_be_bytes());
    Some(frame)
}

fn checksum(header: &[u8]) -> u16 {
    let words =
        header.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let [high, low] = [sum >> 16, sum & 0xFFFF].map(|half| u16::try_from(half).unwrap_or_default());
    let (folded, carry) = low.overflowing_add(high);
    !(folded + u16::from(carry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_a_header_that_has_it_is_zero() {
        // From RFC 1071's arithmetic, a header seen in the wild.
        let header = [
            0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xB8, 0x61, 0xC0, 0xA8, 0, 1, 0xC0, 0xA8,
            0, 0xC7,
        ];
        assert_eq!(checksum(&header), 0);
        let mut without = header;
        without[10..12].fill(0);
        assert_eq!(checksum(&without), 0xB861);
    }

    #[test]
    fn an_answer_goes_back_with_the_address() {
        let mut frame = vec![0; DNS];
        frame[0..6].fill(1);
        frame[6..12].fill(2);
        frame[12..15].copy_from_slice(&[8, 0, 0x45]);
        frame[IP + 9] = 17;
        frame[IP + 12..IP + 20].copy_from_slice(&[10, 0, 2, 15, 10, 0, 2, 3]);
        frame[UDP..UDP + 4].copy_from_slice(&[0xC0, 1, 0, 53]);
        frame.extend_from_slice(&[7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'x', 0, 0, 1, 0, 1]);
        assert_eq!(destination_port(&frame), Some(53));
        let back = answer(&frame, Some([10, 0, 2, 2])).unwrap();
        assert_eq!((back[0], back[6]), (2, 1));
        assert_eq!(back[IP + 12..IP + 20], [10, 0, 2, 3, 10, 0, 2, 15]);
        assert_eq!(checksum(&back[IP..UDP]), 0);
        assert_eq!(back[UDP..UDP + 4], [0, 53, 0xC0, 1]);
        assert_eq!(back[DNS..DNS + 8], [7, 7, 0x81, 0x80, 0, 1, 0, 1]);
        assert_eq!(back[back.len() - 4..], [10, 0, 2, 2]);
        let failed = answer(&frame, None).unwrap();
        assert_eq!(failed[DNS..DNS + 8], [7, 7, 0x81, 0x82, 0, 1, 0, 0]);
    }
}
