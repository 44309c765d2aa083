//! The packs that ship with the project, embedded into the binary. A test proves each of them.

use std::sync::{Arc, LazyLock};

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
    ("110100/bj-power", include_str!("../../../../packs/110100/bj-power.toml")),
    ("110100/bj-heating", include_str!("../../../../packs/110100/bj-heating.toml")),
    ("110100/bj-parking", include_str!("../../../../packs/110100/bj-parking.toml")),
    ("120100/tj-water", include_str!("../../../../packs/120100/tj-water.toml")),
    ("120100/tj-heating", include_str!("../../../../packs/120100/tj-heating.toml")),
    ("130100/sjz-gas", include_str!("../../../../packs/130100/sjz-gas.toml")),
    ("130100/sjz-heating", include_str!("../../../../packs/130100/sjz-heating.toml")),
    ("140100/ty-heating", include_str!("../../../../packs/140100/ty-heating.toml")),
    ("140100/ty-tax", include_str!("../../../../packs/140100/ty-tax.toml")),
    ("210100/sy-heating", include_str!("../../../../packs/210100/sy-heating.toml")),
    ("210100/sy-power", include_str!("../../../../packs/210100/sy-power.toml")),
    ("210200/dl-water", include_str!("../../../../packs/210200/dl-water.toml")),
    ("210200/dl-social", include_str!("../../../../packs/210200/dl-social.toml")),
    ("220100/cc-heating", include_str!("../../../../packs/220100/cc-heating.toml")),
    ("220100/cc-tv", include_str!("../../../../packs/220100/cc-tv.toml")),
    ("230100/hrb-heating", include_str!("../../../../packs/230100/hrb-heating.toml")),
    ("230100/hrb-gas", include_str!("../../../../packs/230100/hrb-gas.toml")),
    ("310100/sh-tv", include_str!("../../../../packs/310100/sh-tv.toml")),
    ("310100/sh-hospital", include_str!("../../../../packs/310100/sh-hospital.toml")),
    ("320100/nj-power", include_str!("../../../../packs/320100/nj-power.toml")),
    ("320100/nj-school", include_str!("../../../../packs/320100/nj-school.toml")),
    ("320500/suz-gas", include_str!("../../../../packs/320500/suz-gas.toml")),
    ("320500/suz-social", include_str!("../../../../packs/320500/suz-social.toml")),
    ("330100/hz-broadband", include_str!("../../../../packs/330100/hz-broadband.toml")),
    ("330200/nb-water", include_str!("../../../../packs/330200/nb-water.toml")),
    ("330200/nb-parking", include_str!("../../../../packs/330200/nb-parking.toml")),
    ("340100/hf-power", include_str!("../../../../packs/340100/hf-power.toml")),
    ("340100/hf-school", include_str!("../../../../packs/340100/hf-school.toml")),
    ("350100/fz-tv", include_str!("../../../../packs/350100/fz-tv.toml")),
    ("350100/fz-tax", include_str!("../../../../packs/350100/fz-tax.toml")),
    ("350200/xm-gas", include_str!("../../../../packs/350200/xm-gas.toml")),
    ("350200/xm-parking", include_str!("../../../../packs/350200/xm-parking.toml")),
    ("360100/nc-water", include_str!("../../../../packs/360100/nc-water.toml")),
    ("360100/nc-traffic", include_str!("../../../../packs/360100/nc-traffic.toml")),
    ("370100/jn-heating", include_str!("../../../../packs/370100/jn-heating.toml")),
    ("370100/jn-mobile", include_str!("../../../../packs/370100/jn-mobile.toml")),
    ("370200/qd-power", include_str!("../../../../packs/370200/qd-power.toml")),
    ("370200/qd-property", include_str!("../../../../packs/370200/qd-property.toml")),
    ("410100/zz-gas", include_str!("../../../../packs/410100/zz-gas.toml")),
    ("410100/zz-social", include_str!("../../../../packs/410100/zz-social.toml")),
    ("420100/wh-water", include_str!("../../../../packs/420100/wh-water.toml")),
    ("420100/wh-hospital", include_str!("../../../../packs/420100/wh-hospital.toml")),
    ("430100/cs-tv", include_str!("../../../../packs/430100/cs-tv.toml")),
    ("430100/cs-broadband", include_str!("../../../../packs/430100/cs-broadband.toml")),
    ("440100/gz-power", include_str!("../../../../packs/440100/gz-power.toml")),
    ("440100/gz-mobile", include_str!("../../../../packs/440100/gz-mobile.toml")),
    ("440300/sz-gas", include_str!("../../../../packs/440300/sz-gas.toml")),
    ("440300/sz-hospital", include_str!("../../../../packs/440300/sz-hospital.toml")),
    ("500100/cq-tax", include_str!("../../../../packs/500100/cq-tax.toml")),
    ("510100/cd-water", include_str!("../../../../packs/510100/cd-water.toml")),
    ("510100/cd-traffic", include_str!("../../../../packs/510100/cd-traffic.toml")),
    ("610100/xa-property", include_str!("../../../../packs/610100/xa-property.toml")),
];

/// The shipped packs, read once.
pub fn packs() -> &'static [Arc<Pack>] {
    static READ: LazyLock<Vec<Arc<Pack>>> = LazyLock::new(|| {
        let read = |(path, text): &(&str, &str)| match Pack::parse(text) {
            Ok(pack) => Arc::new(pack),
            Err(why) => panic!("{path}: {why}"),
        };
        PACKS.iter().map(read).collect()
    });
    &READ
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
