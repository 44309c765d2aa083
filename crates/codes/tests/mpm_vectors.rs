//! The 115 public merchant payloads: every verdict and every asserted field.

use codes::mpm::{LengthUnit, check_tlv_crc, decode, decode_tolerant, inspect};
use serde_json::Value;

fn vectors() -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(include_str!("data/emv_mpm_vectors.json")).unwrap();
    assert_eq!(all.len(), 115);
    all
}

#[test]
fn verdicts_and_fields_of_all_payloads() {
    let (mut valid, mut fields) = (0, 0);
    for vector in vectors() {
        let payload = vector["payload"].as_str().unwrap();
        let want = vector["valid"].as_bool().unwrap();
        let verdict = check_tlv_crc(payload);
        assert_eq!(verdict.is_ok(), want, "{payload}: {verdict:?}");
        let tolerated = decode_tolerant(payload);
        assert_eq!(tolerated.as_ref().err(), verdict.as_ref().err(), "{payload}");
        valid += u32::from(want);
        let inspection = inspect(payload);
        for (path, value) in vector["expect"].as_object().unwrap() {
            assert_eq!(inspection.field(path), value.as_str(), "{payload} at {path}");
            fields += 1;
        }
    }
    assert_eq!((valid, fields), (90, 205));
}

#[test]
fn strict_accepts_exactly_what_has_no_departure_and_round_trips_it() {
    let mut accepted = 0;
    for vector in vectors() {
        let payload = vector["payload"].as_str().unwrap();
        let Ok(tolerated) = decode_tolerant(payload) else {
            assert!(decode(payload).is_err(), "{payload}");
            continue;
        };
        match decode(payload) {
            Ok(qr) => {
                assert_eq!(tolerated.departures, [], "{payload}");
                assert_eq!(qr, tolerated.qr, "{payload}");
                let written = qr.encode().unwrap();
                assert_eq!(decode(&written).as_ref(), Ok(&qr), "{payload}");
                assert_eq!(written.len(), payload.len(), "same objects, perhaps in another order: {payload}");
                accepted += 1;
            }
            Err(error) => {
                assert_eq!(tolerated.departures.first(), Some(&error), "{payload}");
                assert!(tolerated.qr.encode().is_err() || !error.path.is_empty(), "{payload}");
            }
        }
    }
    assert!(accepted >= 40, "only {accepted} payloads obey the specification");
}

/// Departures named in the collection, and the code we give each.
#[test]
fn departures_seen_in_the_world_have_their_codes() {
    let starting = |start: &str| {
        let found = vectors().into_iter().find(|v| v["payload"].as_str().unwrap().starts_with(start));
        found.unwrap_or_else(|| panic!("{start}"))["payload"].as_str().unwrap().to_owned()
    };
    // (start of the payload, refusal of the tolerant reader)
    let refused: &[(&str, &str)] = &[
        ("00020101021136290012int.bceao.pi0109ci-cafe-7", "crc_latin1"),
        ("00020101021143520016com.mymerchantar", "crc_mismatch"),
        ("00020101021126620014COM.GO-JEK.WWW", "crc_mismatch"),
        ("0002018006000266", "crc_missing"),
        ("000201010211y0ur4w3soMEQr15STriN6", "bad_header"),
        ("00020101021126280010A000000775", "truncated"),
    ];
    for (start, want) in refused {
        let all: Vec<String> = vectors()
            .iter()
            .map(|v| v["payload"].as_str().unwrap().to_owned())
            .filter(|p| p.starts_with(start))
            .collect();
        let codes: Vec<_> = all.iter().filter_map(|p| check_tlv_crc(p).err()).map(|e| e.code()).collect();
        assert!(codes.contains(want), "{start}: {codes:?}");
    }
    // (start of the payload, a departure of the tolerant reader as "path code")
    let departed: &[(&str, &str)] = &[
        (
            "00020101021238570010A00000072701390006970422011301234567890200208QRIBFTTA530370454",
            " lengths_in_bytes",
        ),
        ("00020101021102160004hoge0104abcd520441115303156540523.72550201560350057", "55 tip_conflict"),
        ("0002010102125204970053030325802AR5913MERCHANT NAME", "60 too_long"),
        ("0002010102125204970053030325802AR5913MERCHANT NAME", "02-51 missing"),
        ("00020101021129370016A000000677010111011300668111111115802TH", "52 missing"),
        ("00020101021128500011ph.ppmi.p2m0111PAPHPHM1XXX", "62.00 id_out_of_range"),
        ("00020101021115140110555555555530400014jonhsmith@nbcq01061234", "99.00 missing"),
    ];
    for (start, want) in departed {
        let payload = starting(start);
        let tolerated = decode_tolerant(&payload).unwrap_or_else(|e| panic!("{start}: {e}"));
        let seen: Vec<String> =
            tolerated.departures.iter().map(|d| format!("{} {}", d.path, d.code())).collect();
        assert!(seen.iter().any(|s| s == want), "{start}: {seen:?}");
    }
}

#[test]
fn emvco_sample_counts_characters() {
    // EMVCo's own example, its language template in Chinese.
    let payload = "00020101021229300012D156000000000510A93FO3230Q31280012D15600000001030812345678520441115802CN5914BEST \
                   TRANSPORT6007BEIJING64200002ZH0104最佳运输0202北京540523.7253031565502016233030412340603***0708A\
                   60086670902ME91320016A0112233449988770708123456786304A13A";
    assert_eq!(check_tlv_crc(payload), Ok(LengthUnit::Characters));
    let qr = decode(payload).unwrap();
    assert_eq!(qr.display_name(), "最佳运输");
    assert_eq!(qr.display_city(), "北京");
    assert_eq!(qr.amount.unwrap().to_minor(2), Ok(2372));
}
