//! Records by HTTP, as a web application posts them: lines of JSON over a connection that stays open.

use crate::{SIZE, Target};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

/// Records of a request.
const GROUP: u64 = 100;

pub(crate) fn post(target: &Target) -> Result<()> {
    let mut stream = TcpStream::connect(target.bridge)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let line = format!("{{\"value\":\"{}\"}}\n", "v".repeat(SIZE));
    let mut left = target.count;
    while left > 0 {
        let group = left.min(GROUP);
        let body = line.repeat(usize::try_from(group)?);
        let request = format!(
            "POST /topics/{} HTTP/1.1\r\nhost: bridge\r\nauthorization: Bearer {}\r\n\
             content-length: {}\r\n\r\n{body}",
            target.topic,
            target.token,
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let records = answer(&mut answers)?;
        ensure!(records == group, "{records} of {group} records have an offset");
        left -= group;
    }
    Ok(())
}

/// The number of offsets in an answer.
fn answer(from: &mut impl BufRead) -> Result<u64> {
    let mut status = String::new();
    from.read_line(&mut status)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().context("content-length")?;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    ensure!(status.contains(" 200 "), "{}{}", status, String::from_utf8_lossy(&body));
    let body: serde_json::Value = serde_json::from_slice(&body)?;
    let records = body["records"].as_array().context("no records in an answer")?;
    let placed = records.iter().filter(|record| !record["offset"].is_null());
    Ok(u64::try_from(placed.count())?)
}
