//! The packs that ship with the project, embedded into the binary. A test proves each of them.

use super::pack::Pack;

/// Path under `packs/` and text of each.
pub(super) const PACKS: &[(&str, &str)] = &[
    ("330100/hz-power", include_str!("../../../../packs/330100/hz-power.toml")),
    ("330100/hz-water", include_str!("../../../../packs/330100/hz-water.toml")),
    ("330100/hz-gas", include_str!("../../../../packs/330100/hz-gas.toml")),
    ("330100/hz-traffic", include_str!("../../../../packs/330100/hz-traffic.toml")),
    ("310100/sh-power", include_str!("../../../../packs/310100/sh-power.toml")),
    ("310100/sh-water", include_str!("../../../../packs/310100/sh-water.toml")),
    ("310100/sh-broadband", include_str!("../../../../packs/310100/sh-broadband.toml")),
    ("310100/sh-property", include_str!("../../../../packs/310100/sh-property.toml")),
];

/// The shipped packs: the id of each, and its text.
pub fn shipped_packs() -> impl Iterator<Item = (&'static str, &'static str)> {
    PACKS.iter().map(|(path, text)| (path.rsplit('/').next().unwrap_or(path), *text))
}

/// The shipped packs, read.
pub(super) fn packs() -> Vec<Pack> {
    PACKS.iter().map(|(path, text)| Pack::parse(text).unwrap_or_else(|e| panic!("{path}: {e}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_pack_is_read_and_lies_where_its_keys_say() {
        for ((path, _), pack) in PACKS.iter().zip(packs()) {
            assert_eq!(*path, format!("{}/{}", pack.spec.region, pack.spec.id));
        }
    }
}
