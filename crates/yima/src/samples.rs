//! The bill files that ship with the packs, compiled in: what the demo city and the tour are fed with.

/// A shipped pack and its sample file.
pub struct Sample {
    /// The pack's id.
    pub pack: &'static str,
    /// The pack's text.
    pub pack_text: &'static str,
    /// Name of the bill file.
    pub file: &'static str,
    /// Its bytes, in the pack's layout.
    pub bytes: &'static [u8],
}

macro_rules! samples {
    ($($region:literal $pack:literal $file:literal)*) => {
        &[$(Sample {
            pack: $pack,
            pack_text: include_str!(concat!("../../../packs/", $region, "/", $pack, ".toml")),
            file: $file,
            bytes: include_bytes!(concat!("../../../packs/", $region, "/samples/", $file)),
        },)*]
    };
}

/// One file of each shipped pack.
pub const SAMPLES: &[Sample] = samples! {
    "330100" "hz-power" "hz-power-202602.txt"
    "330100" "hz-water" "hz-water-202602.dat"
    "330100" "hz-gas" "hz-gas-202602.csv"
    "330100" "hz-traffic" "hz-traffic-202602.dat"
    "310100" "sh-power" "sh-power-202602.txt"
    "310100" "sh-water" "sh-water-202602.dat"
    "310100" "sh-broadband" "sh-broadband-202602.csv"
    "310100" "sh-property" "sh-property-202602.txt"
};
