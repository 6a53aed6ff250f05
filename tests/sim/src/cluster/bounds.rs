//! Walks a request before it is decoded, because the decoder reserves memory by the counts it
//! reads: a walked request has every element it announces.

use super::fault::Api;
use bytes::Buf;

/// Does the body of a request contain what its counts and lengths announce?
pub(super) fn are_kept(api: Api, version: i16, body: &[u8]) -> bool {
    let flexible_from = match api {
        Api::Produce | Api::Metadata => 9,
        Api::Fetch => 12,
        Api::ListOffsets => 6,
        Api::FindCoordinator | Api::ApiVersions => 3,
        Api::InitProducerId => 2,
    };
    let mut walk = Walk { rest: body, flexible: version >= flexible_from };
    match api {
        Api::Produce => produce(&mut walk, version),
        Api::Fetch => fetch(&mut walk, version),
        Api::ListOffsets => list_offsets(&mut walk, version),
        Api::Metadata => walk.array(|topic| {
            topic.skip(if version >= 10 { 16 } else { 0 })?;
            topic.string()?;
            topic.tags()
        }),
        Api::FindCoordinator if version >= 4 => {
            walk.skip(1).and_then(|()| walk.array(|key| key.string()))
        }
        Api::FindCoordinator | Api::ApiVersions | Api::InitProducerId => Some(()),
    }
    .is_some()
}

fn produce(walk: &mut Walk<'_>, version: i16) -> Option<()> {
    walk.string()?;
    walk.skip(2 + 4)?;
    walk.array(|topic| {
        topic.name_or_id(version >= 13)?;
        topic.array(|partition| {
            partition.skip(4)?;
            partition.bytes()?;
            partition.tags()
        })?;
        topic.tags()
    })
}

fn fetch(walk: &mut Walk<'_>, version: i16) -> Option<()> {
    let replica_id = if version <= 14 { 4 } else { 0 };
    let session = if version >= 7 { 8 } else { 0 };
    walk.skip(replica_id + 4 + 4 + 4 + 1 + session)?;
    let partition_bytes = 4
        + if version >= 9 { 4 } else { 0 }
        + 8
        + if version >= 12 { 4 } else { 0 }
        + if version >= 5 { 8 } else { 0 }
        + 4;
    walk.array(|topic| {
        topic.name_or_id(version >= 13)?;
        topic.array(|partition| {
            partition.skip(partition_bytes)?;
            partition.tags()
        })?;
        topic.tags()
    })?;
    if version < 7 {
        return Some(());
    }
    walk.array(|topic| {
        topic.name_or_id(version >= 13)?;
        topic.array(|partition| partition.skip(4))?;
        topic.tags()
    })
}

fn list_offsets(walk: &mut Walk<'_>, version: i16) -> Option<()> {
    walk.skip(4 + if version >= 2 { 1 } else { 0 })?;
    walk.array(|topic| {
        topic.string()?;
        topic.array(|partition| {
            partition.skip(4 + if version >= 4 { 4 } else { 0 } + 8)?;
            partition.tags()
        })?;
        topic.tags()
    })
}

struct Walk<'a> {
    rest: &'a [u8],
    flexible: bool,
}

impl Walk<'_> {
    fn skip(&mut self, n: usize) -> Option<()> {
        self.rest = self.rest.get(n..)?;
        Some(())
    }

    fn name_or_id(&mut self, id: bool) -> Option<()> {
        if id { self.skip(16) } else { self.string() }
    }

    fn string(&mut self) -> Option<()> {
        let length = if self.flexible {
            i64::from(self.uvarint()?) - 1
        } else {
            i64::from(self.rest.try_get_i16().ok()?)
        };
        self.skip_nullable(length)
    }

    fn bytes(&mut self) -> Option<()> {
        let length = self.count()?;
        self.skip_nullable(length)
    }

    fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        for _ in 0..self.count()? {
            element(self)?;
        }
        Some(())
    }

    fn tags(&mut self) -> Option<()> {
        if self.flexible {
            for _ in 0..self.uvarint()? {
                self.uvarint()?;
                let size = self.uvarint()?;
                self.skip(size as usize)?;
            }
        }
        Some(())
    }

    fn skip_nullable(&mut self, length: i64) -> Option<()> {
        match length {
            -1 => Some(()),
            n => self.skip(usize::try_from(n).ok()?),
        }
    }

    fn count(&mut self) -> Option<i64> {
        if self.flexible {
            Some(i64::from(self.uvarint()?) - 1)
        } else {
            Some(i64::from(self.rest.try_get_i32().ok()?))
        }
    }

    fn uvarint(&mut self) -> Option<u32> {
        let mut n = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.rest.try_get_u8().ok()?;
            n |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }
}
