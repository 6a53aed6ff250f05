//! Writes `seeds/`: a valid answer to each request at each version, and a producer's ordinary life, in the form in
//! which `arbitrary` reads the targets' inputs. Run it in `fuzz/` after a change of `answer.rs` or of an input.

use std::fs;
use std::io::Result;

use klamm::Compression;
use klamm_fuzz::answer::{API_VERSIONS, INIT_PRODUCER_ID, METADATA, PRODUCE, Request, Versions};
use klamm_fuzz::harness::{Harness, small_chunks};

fn main() -> Result<()> {
    received()?;
    api_versions_first()?;
    restore()?;
    call_sequence()
}

/// Snapshots of batches that grew, in a full memory, after these answers to Produce: to as many requests as are on their
/// way together. Then the answers for who is restored.
fn restore() -> Result<()> {
    let none = Compression::None;
    let gzip = Compression::Gzip { level: 6 };
    fs::create_dir_all("seeds/restore")?;
    restored("one-in-flight", none, &[&[]], &[0, 0])?;
    restored("five-in-flight", none, &[&[0], &[]], &[LOST, 0, 0x80 | 6, 45, 45])?;
    restored("compressed", gzip, &[&[0], &[]], &[10, 0, 10, 0x80, 0])?;
    // Too large for the broker: where memory is full, parts share a chunk.
    restored("split", none, &[&[0], &[10; 5]], &[0, 0, 10, 0x80, 10])?;
    restored("split-twice", none, &[&[0], &[10; 5], &[0], &[10; 5]], &[10, 45, 0, 2, 0])?;
    restored("split-compressed", gzip, &[&[0], &[10; 5]], &[10, 10, 0x80, 87])
}

/// Of an answer in the target `restore`: the connection is lost.
const LOST: u8 = 127;

fn restored(name: &str, codec: Compression, before: &[&[i16]], after: &[u8]) -> Result<()> {
    let mut harness = Harness::within(Versions::NEWEST, small_chunks, |config| {
        config.compression_type = codec;
    });
    harness.set_clock();
    while harness.send(&[b'v'; 180]).is_ok() {}
    for (errors, offset) in before.iter().zip((0..).step_by(5)) {
        let (conn, first) = harness.drive_to(PRODUCE).expect("a request with records");
        while harness.drive() {}
        let Some((error, errors)) = errors.split_first() else { break };
        harness.answer_to(conn, &first, *error, offset);
        for error in errors {
            harness.answer(conn, *error, offset);
        }
    }
    let mut page = vec![0; harness.producer.snapshot_len()];
    harness.producer.snapshot(&mut page).expect("it is as long");
    let count = u8::try_from(after.len()).expect("few answers");
    // Without the first bytes and the checksum.
    let seed = [&[count], after, &page[6..page.len() - 4]].concat();
    fs::write(format!("seeds/restore/{name}"), seed)
}

/// Bytes of `Versions`: the answers' versions are `recent` and the choices' places.
fn versions(metadata: u8, init_producer_id: u8, produce: u8) -> ([u8; 4], Versions) {
    let bytes = [1, metadata, init_producer_id, produce];
    let mut input = arbitrary::Unstructured::new(&bytes);
    (bytes, input.arbitrary().expect("four bytes are enough"))
}

fn received() -> Result<()> {
    let stages = [API_VERSIONS, METADATA, INIT_PRODUCER_ID, PRODUCE];
    for (stage, key) in (0..).zip(stages) {
        for choice in 0..11 {
            let (head, versions) = versions(choice, choice, choice);
            let version = versions.of(key);
            let body = Request::new(key, version).body(versions, 0, 0);
            // Then: the stage, framed, acks, one cut after three bytes.
            let seed = [&head[..], &[stage, 1, 0, 1, 3, 0], &body].concat();
            fs::write(format!("seeds/received/api-{key}-version-{version}"), seed)?;
        }
    }
    Ok(())
}

fn api_versions_first() -> Result<()> {
    for (name, version) in [("old", 0), ("recent", 3)] {
        let (head, versions) = versions(0, 0, 0);
        let request = Request::new(API_VERSIONS, version);
        let frame = request.frame(&request.body(versions, 0, 0));
        // No cut.
        fs::write(format!("seeds/api_versions_first/{name}"), [&head[..], &[0], &frame].concat())?;
    }
    Ok(())
}

/// Variants of `Call` in `targets/call_sequence.rs`, by their place there.
const SEND: u32 = 0;
const WAIT: u32 = 8;
const WAIT_FOR_DEADLINE: u32 = 10;
const DRIVE: u32 = 11;
const ANSWER: u32 = 16;
const REPORT: u32 = 22;
const VARIANTS: u64 = 29;

fn call_sequence() -> Result<()> {
    let (head, _) = versions(8, 4, 10);
    for (name, gzip, error) in [("delivered", 0, 0_i16), ("gzip", 1, 0), ("not-leader", 0, 6)] {
        // Gzip, idempotence, linger_ms, in_flight, retries, clock, acks, data loss, wrap, chunks, slots; of the
        // thirteen policies none.
        let options = [gzip, 1, 5, 4, 0, 1, 0, 0, 0, 8, 0xfd];
        let mut seed = [&head[..], &options, &[0; 13]].concat();
        // Partition 0, no key, a length, a header.
        for length in [20_u16, 700] {
            let [low, high] = length.to_le_bytes();
            call(&mut seed, SEND, &[1, 0, 0, low, high, 1]);
        }
        // The first connection's deadline is at once, then the batch's linger ends.
        for _ in 0..2 {
            call(&mut seed, WAIT_FOR_DEADLINE, &[]);
            call(&mut seed, DRIVE, &[]);
        }
        // ApiVersions, Metadata, InitProducerId and Produce are answered; the first Produce with `error`.
        for round in 0..10 {
            let [low, high] = if round == 3 { error.to_le_bytes() } else { [0, 0] };
            for _ in 0..2 {
                call(&mut seed, DRIVE, &[]);
            }
            for conn in 0..2 {
                call(&mut seed, ANSWER, &[conn, low, high, round, 0]);
            }
            // Time for a backoff; none of the long timeouts.
            call(&mut seed, WAIT, &[200, 0]);
        }
        call(&mut seed, REPORT, &[]);
        fs::write(format!("seeds/call_sequence/{name}"), seed)?;
    }
    Ok(())
}

/// One more element: `arbitrary` reads a flag, then the variant as a share of 2^32, then its fields.
fn call(seed: &mut Vec<u8>, variant: u32, fields: &[u8]) {
    let share = ((u64::from(variant) << 32) / VARIANTS) + 1;
    seed.push(1);
    seed.extend(u32::try_from(share).expect("below 2^32").to_le_bytes());
    seed.extend(fields);
}
