//! Any bytes, any pieces: the same answers, no panic, no memory for what is only announced.

use crate::kit::{Kit, TOPIC, idempotent, plain};
use bytes::{BufMut, Bytes};
use klamm_sim::cluster::{Config, TopicConfig};

/// Requests of every API, each with its length before it.
fn conversation() -> Vec<Vec<u8>> {
    let mut kit = Kit::one_node();
    let mut frames = Vec::new();
    let mut push = |key: i16, version: i16, body: &[u8]| {
        let mut frame = Vec::new();
        frame.put_i32(
            i32::try_from(body.len() + 10 + usize::from(is_flexible(key, version))).unwrap(),
        );
        frame.put_i16(key);
        frame.put_i16(version);
        frame.put_i32(1);
        frame.put_i16(-1);
        if is_flexible(key, version) {
            frame.put_u8(0);
        }
        frame.extend_from_slice(body);
        frames.push(frame);
    };
    for version in [3, 9, 13] {
        let request =
            kit.request(version, -1, [(0, plain(2).into()), (1, idempotent(0, 0, 1).into())]);
        push(0, version, &encoded(&request, version));
    }
    push(18, 3, &[2, b'k', 2, b'1', 0]);
    push(3, 12, &[0, 1, 0, 0]);
    push(
        22,
        4,
        &[0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
    );
    push(10, 4, &[0, 2, 2, b'g', 0]);
    push(1, 4, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0]);
    push(2, 1, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let _ = kit.cluster.take_woken();
    frames
}

fn is_flexible(key: i16, version: i16) -> bool {
    match key {
        0 | 3 => version >= 9,
        1 => version >= 12,
        2 => version >= 6,
        22 => version >= 2,
        _ => version >= 3,
    }
}

fn encoded<T: kafka_protocol::protocol::Encodable>(request: &T, version: i16) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    request.encode(&mut out, version).unwrap();
    out.to_vec()
}

#[test]
fn pieces_of_any_size_give_the_same_bytes() {
    let all = conversation().concat();
    let answers = |piece: usize| {
        let mut kit = Kit::one_node();
        let mut out = Vec::new();
        for bytes in all.chunks(piece) {
            kit.cluster.receive(kit.peer, bytes, 0);
            out.extend_from_slice(kit.cluster.readable(kit.peer));
            kit.cluster.consume(kit.peer, usize::MAX);
        }
        assert!(!kit.cluster.wants_close(kit.peer));
        out
    };
    let whole = answers(all.len());
    assert!(whole.len() > 500);
    for piece in [1, 2, 3, 7, 64] {
        assert_eq!(answers(piece), whole, "in pieces of {piece}");
    }
}

#[test]
fn announced_counts_reserve_nothing() {
    // 2^31-1 topics in 20 bytes, in both encodings of a count.
    for (version, count) in
        [(3, vec![0x7f, 0xff, 0xff, 0xff]), (9, vec![0xff, 0xff, 0xff, 0xff, 0x0f])]
    {
        let mut body = vec![0, 0, 0, version, 0, 0, 0, 1, 0xff, 0xff];
        body.extend(if version >= 9 { vec![0, 0] } else { vec![0xff, 0xff] });
        body.extend([0xff, 0xff, 0, 0, 0, 1]);
        body.extend(count);
        let mut kit = Kit::one_node();
        kit.send_frame(&body);
        assert!(kit.closed());
    }
}

#[test]
fn cut_and_flipped_requests_never_panic() {
    let frames = conversation();
    let mut rng = oorandom::Rand32::new(7);
    for frame in &frames {
        for cut in 4..frame.len() {
            let mut kit = Kit::one_node();
            kit.send_frame(&frame[4..cut]);
        }
        for _ in 0..2_000 {
            let mut frame = frame[4..].to_vec();
            for _ in 0..=rng.rand_range(0..3) {
                let at = rng.rand_range(0..u32::try_from(frame.len()).unwrap());
                frame[at as usize] = rng.rand_u32().to_le_bytes()[0];
            }
            let mut kit = Kit::one_node();
            kit.send_frame(&frame);
            kit.advance(10_000_000);
            // Whatever was appended can be read.
            let _ = kit.cluster.log(TOPIC, 0).count();
        }
    }
}

#[test]
fn batches_with_a_right_checksum_and_wrong_insides_never_panic() {
    let mut rng = oorandom::Rand32::new(11);
    let mut kit = Kit::new(Config::new(1), TopicConfig::new(1, 1));
    for _ in 0..5_000 {
        let mut batch = Bytes::from(plain(3)).to_vec();
        for _ in 0..=rng.rand_range(0..4) {
            let at = rng.rand_range(21..u32::try_from(batch.len()).unwrap());
            batch[at as usize] = rng.rand_u32().to_le_bytes()[0];
        }
        let crc = crc32c::crc32c(&batch[21..]).to_be_bytes();
        batch[17..21].copy_from_slice(&crc);
        kit.code(batch);
    }
    assert_eq!(kit.cluster.log(TOPIC, 0).count() as u64, kit.cluster.stats().records);
}
