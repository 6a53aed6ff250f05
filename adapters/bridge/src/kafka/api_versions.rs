//! ApiVersions: the page is told what both the broker and the bridge know.

use super::{Api, Code, Malformed, Reader, Writer, header};

/// The versions that a broker offers of what a page may call.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Offer {
    ranges: [Option<(i16, i16)>; Api::ALL.len()],
}

impl Offer {
    /// The broker's answer to ApiVersions 0.
    pub(crate) fn read(mut body: Reader<'_>) -> Result<Self, Malformed> {
        if body.i16()? != Code::NONE.0 {
            return Err(Malformed);
        }
        let mut offer = Self::default();
        for _ in 0..body.count(6)?.ok_or(Malformed)? {
            let (key, least, most) = (body.i16()?, body.i16()?, body.i16()?);
            if let Some(place) = Api::ALL.iter().position(|api| api.key() == key)
                && let Some(range) = offer.ranges.get_mut(place)
            {
                *range = Some((least, most));
            }
        }
        Ok(offer)
    }

    /// What the page may use of an API; `None`: nothing.
    pub(crate) fn range(&self, api: Api) -> Option<(i16, i16)> {
        let (least, most) = api.versions();
        if api == Api::ApiVersions {
            // The bridge's own answer.
            return Some((least, most));
        }
        let place = Api::ALL.iter().position(|other| *other == api)?;
        let (broker_least, broker_most) = self.ranges.get(place).copied().flatten()?;
        let (least, most) = (least.max(broker_least), most.min(broker_most));
        (least <= most).then_some((least, most))
    }

    pub(crate) fn allows(&self, api: Api, version: i16) -> bool {
        self.range(api).is_some_and(|(least, most)| (least..=most).contains(&version))
    }

    /// The answer to the page.
    pub(crate) fn answer(&self, version: i16, correlation: i32) -> Option<Vec<u8>> {
        let mut writer = header::answer(Api::ApiVersions, version, correlation);
        writer.i16(Code::NONE.0);
        self.list(&mut writer);
        if version >= 1 {
            writer.i32(0);
        }
        writer.no_tags();
        writer.frame()
    }

    fn list(&self, writer: &mut Writer) {
        let known = || Api::ALL.into_iter().filter_map(|api| Some((api, self.range(api)?)));
        writer.count(known().count());
        for (api, (least, most)) in known() {
            writer.i16(api.key());
            writer.i16(least);
            writer.i16(most);
            writer.no_tags();
        }
    }
}

/// Reads the request's body; what the page calls itself is of no interest.
pub(crate) fn read(mut body: Reader<'_>, version: i16) -> Result<(), Malformed> {
    if version >= 3 {
        body.string()?;
        body.string()?;
    }
    body.tags()?;
    body.end()
}

/// The answer to a version that the bridge does not know, in version 0 (KIP-511).
pub(crate) fn unsupported(correlation: i32) -> Option<Vec<u8>> {
    let mut writer = header::answer(Api::ApiVersions, 0, correlation);
    let (least, most) = Api::ApiVersions.versions();
    writer.i16(Code::UNSUPPORTED_VERSION.0);
    writer.count(1);
    writer.i16(Api::ApiVersions.key());
    writer.i16(least);
    writer.i16(most);
    writer.frame()
}
