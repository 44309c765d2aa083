//! Code 128 symbol characters (ISO/IEC 15417, table 1): code sets B and C, check character, stop pattern.
//! Must never emit control characters or the function characters, which our codes do not use.

use super::DrawError;

/// Widths of bars and spaces, alternating and beginning with a bar, of the 103 values and the three start characters.
const PATTERNS: [&[u8; 6]; 106] = [
    b"212222", b"222122", b"222221", b"121223", b"121322", b"131222", b"122213", b"122312", b"132212",
    b"221213", b"221312", b"231212", b"112232", b"122132", b"122231", b"113222", b"123122", b"123221",
    b"223211", b"221132", b"221231", b"213212", b"223112", b"312131", b"311222", b"321122", b"321221",
    b"312212", b"322112", b"322211", b"212123", b"212321", b"232121", b"111323", b"131123", b"131321",
    b"112313", b"132113", b"132311", b"211313", b"231113", b"231311", b"112133", b"112331", b"132131",
    b"113123", b"113321", b"133121", b"313121", b"211331", b"231131", b"213113", b"213311", b"213131",
    b"311123", b"311321", b"331121", b"312113", b"312311", b"332111", b"314111", b"221411", b"431111",
    b"111224", b"111422", b"121124", b"121421", b"141122", b"141221", b"112214", b"112412", b"122114",
    b"122411", b"142112", b"142211", b"241211", b"221114", b"413111", b"241112", b"134111", b"111242",
    b"121142", b"121241", b"114212", b"124112", b"124211", b"411212", b"421112", b"421211", b"212141",
    b"214121", b"412121", b"111143", b"111341", b"131141", b"114113", b"114311", b"411113", b"411311",
    b"113141", b"114131", b"311141", b"411131", b"211412", b"211214", b"211232",
];
const STOP: &[u8; 7] = b"2331112";
const START_B: usize = 104;
const START_C: usize = 105;
const CODE_C: usize = 99;
const CODE_B: usize = 100;
const MAX_CHARS: usize = 80;

/// The symbol's modules from start to stop, `true` for bars, without quiet zones.
pub(super) fn modules(text: &str) -> Result<Vec<bool>, DrawError> {
    let values = values(text)?;
    let mut row = Vec::with_capacity(values.len() * 11 + 2);
    for value in values {
        push(&mut row, PATTERNS[value]);
    }
    push(&mut row, STOP);
    Ok(row)
}

fn push(row: &mut Vec<bool>, widths: &[u8]) {
    for (at, width) in widths.iter().enumerate() {
        row.extend(std::iter::repeat_n(at % 2 == 0, usize::from(width - b'0')));
    }
}

/// Start, data and check values. Code set C for a run of four digits or more, or for digits only; B for the rest.
fn values(text: &str) -> Result<Vec<usize>, DrawError> {
    let mut rest = text.as_bytes();
    if rest.is_empty() || rest.len() > MAX_CHARS || !rest.iter().all(|b| matches!(b, b' '..=b'~')) {
        return Err(DrawError::NotCode128);
    }
    let mut values = Vec::new();
    let mut in_c = None;
    while let Some(first) = rest.first() {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let pays = digits >= 4 || (digits == rest.len() && digits >= 2 && in_c.is_none());
        // An odd run gives its first digit to B, unless we are in C already, where the last one is left over.
        let to_c = in_c == Some(true) && digits >= 2 || pays && (digits.is_multiple_of(2) || in_c.is_none());
        match (in_c, to_c) {
            (None, true) => values.push(START_C),
            (None, false) => values.push(START_B),
            (Some(false), true) => values.push(CODE_C),
            (Some(true), false) => values.push(CODE_B),
            _ => {}
        }
        in_c = Some(to_c);
        if to_c {
            values.push(usize::from((first - b'0') * 10 + (rest[1] - b'0')));
            rest = &rest[2..];
        } else {
            values.push(usize::from(first - b' '));
            rest = &rest[1..];
        }
    }
    // Modulo 103: the start character weighs 1, the n-th data character n.
    let sum: usize = values.iter().enumerate().map(|(at, value)| at.max(1) * value).sum();
    values.push(sum % 103);
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_eleven_modules_and_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for (value, pattern) in PATTERNS.iter().enumerate() {
            let widths = pattern.iter().map(|b| u32::from(b - b'0'));
            assert_eq!(widths.clone().sum::<u32>(), 11, "value {value}");
            // ISO/IEC 15417: the bars of every character add up to an even number of modules.
            assert_eq!(widths.step_by(2).sum::<u32>() % 2, 0, "value {value}");
            assert!(seen.insert(pattern), "value {value}");
        }
    }

    #[test]
    fn chooses_the_code_set() {
        let cases: &[(&str, &[usize])] = &[
            // The check digits of the first two are worked examples in public descriptions of the symbology.
            ("PJJ123C", &[104, 48, 42, 42, 17, 18, 19, 35, 55]),
            ("Wikipedia", &[104, 55, 73, 75, 73, 80, 69, 68, 73, 65, 88]),
            ("123456", &[105, 12, 34, 56, 44]),
            ("12345", &[105, 12, 34, 100, 21, 54]),
            ("1", &[104, 17, 18]),
            ("12", &[105, 12, 14]),
            ("AB1234", &[104, 33, 34, 99, 12, 34, 102]),
        ];
        for (text, want) in cases {
            let got = values(text).unwrap();
            assert_eq!(got[..got.len() - 1], want[..want.len() - 1], "{text}");
            let sum: usize = want[..want.len() - 1].iter().enumerate().map(|(i, v)| i.max(1) * v).sum();
            assert_eq!(*got.last().unwrap(), sum % 103, "{text}");
        }
        assert_eq!(values("PJJ123C").unwrap().last(), Some(&55));
        assert_eq!(values("Wikipedia").unwrap().last(), Some(&88));
        for refused in ["", "一码", "a\n", &"1".repeat(81)] {
            assert_eq!(values(refused), Err(DrawError::NotCode128));
        }
        assert_eq!(modules("812345678901234567").unwrap().len(), 11 * 11 + 13);
    }
}
