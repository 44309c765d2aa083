//! Consumer-presented payloads: the public vectors both ways, every refusal, anything at all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use codes::cpm::{CardNumber, ConsumerQr, CpmError, DataTemplate, MAX_CHARS, Object, Tlv, Track2, decode};
use proptest::prelude::*;
use serde_json::Value;

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("data/emv_cpm_vectors.json")).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn tag(node: &Value) -> u32 {
    u32::from_str_radix(node["tag"].as_str().unwrap(), 16).unwrap()
}

/// The object a node of the vectors' trees stands for, written by hand here and not by the code under test.
fn object(node: &Value) -> Object {
    if let Some(children) = node["children"].as_array() {
        let list = children.iter().map(|c| Tlv { tag: tag(c), value: bytes(c["hex"].as_str().unwrap()) });
        return Object::Transparent(list.collect());
    }
    let hex = node["hex"].as_str().unwrap();
    let value = bytes(hex);
    let text = || String::from_utf8(value.clone()).unwrap();
    match node["tag"].as_str().unwrap() {
        "4F" => Object::Aid(value),
        "50" => Object::Label(text()),
        "57" => Object::Track2(Track2::new(hex.trim_end_matches('F')).unwrap()),
        "5A" => Object::CardNumber(CardNumber::new(hex.trim_end_matches('F')).unwrap()),
        "5F20" => Object::CardholderName(text()),
        "5F2D" => Object::Languages(text()),
        "5F34" => Object::SequenceNumber(value[0]),
        "5F50" => Object::IssuerUrl(text()),
        "9F25" => Object::LastFour([value[0], value[1]]),
        _ => Object::Other(Tlv { tag: tag(node), value }),
    }
}

#[test]
fn public_vectors_both_ways() {
    let (mut sound, mut unsound) = (0, 0);
    for vector in vectors() {
        let payload = vector["payload"].as_str().unwrap();
        if !vector["valid"].as_bool().unwrap() {
            let error = decode(payload).unwrap_err();
            assert_eq!((error.path.as_str(), error.code()), ("61", "cpm_truncated"), "{payload}");
            unsound += 1;
            continue;
        }
        let template = |node: &Value| DataTemplate {
            objects: node["children"].as_array().unwrap().iter().map(object).collect(),
        };
        let nodes = vector["tlv"].as_array().unwrap();
        let of = |wanted: &str| nodes.iter().filter(|n| n["tag"] == wanted).map(template).collect::<Vec<_>>();
        let want = ConsumerQr { applications: of("61"), common: of("62").pop(), other: Vec::new() };
        assert_eq!(decode(payload).as_ref(), Ok(&want), "{payload}");
        assert_eq!(want.encode().as_deref(), Ok(payload));
        sound += 1;
    }
    assert_eq!((sound, unsound), (8, 1));
}

#[test]
fn accessors_and_choice() {
    let qr = decode(vectors()[2]["payload"].as_str().unwrap()).unwrap();
    let application = qr.choose(|aid| aid.starts_with(&bytes("A000000333"))).unwrap();
    assert_eq!(application.track2().unwrap().card_number().unwrap().digits(), "6263600100713672");
    assert_eq!(application.transparent(0x9F26), Some(bytes("568AD7BCE66B718B").as_slice()));
    assert_eq!(application.transparent(0x9F36), Some([0x11, 0x22].as_slice()));
    assert_eq!(qr.choose(<[u8]>::is_empty), None);
}

#[test]
fn debug_shows_no_card_data() {
    for vector in vectors().iter().filter(|v| v["valid"] == true) {
        let qr = decode(vector["payload"].as_str().unwrap()).unwrap();
        let shown = format!("{qr:?}");
        for secret in ["12345678901234", "62636001007136", "936000", "SENDY", "CARDHOLDER/EMV"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

fn payload(hex: &str) -> String {
    STANDARD.encode(bytes(hex))
}

#[test]
fn every_refusal_names_its_object() {
    const HEAD: &str = "85054350563031";
    const AID: &str = "4F05A000000333";
    const PAN: &str = "5A081234567890123458";
    let app = |content: &str| format!("{HEAD}61{:02X}{content}", content.len() / 2);
    let with = |object: &str| app(&format!("{AID}{PAN}{object}"));
    let common = |object: &str| format!("{}62{:02X}{object}", app(&format!("{AID}{PAN}")), object.len() / 2);
    decode(&payload(&with(""))).unwrap();
    decode(&payload(&common("5F2D027A68"))).unwrap();
    let cases: &[(String, &str, &str)] = &[
        (String::new(), "", "cpm_size"),
        ("A".repeat(MAX_CHARS + 4), "", "cpm_size"),
        ("hQVDUFYwMW".into(), "", "cpm_base64"),
        ("812345678901234567".into(), "", "cpm_base64"),
        (payload("1F"), "@0", "cpm_bad_tag"),
        (payload(&format!("{HEAD}00")), "@7", "cpm_bad_tag"),
        (payload(&format!("{HEAD}9F8181810100")), "@7", "cpm_bad_tag"),
        (payload("85"), "85", "cpm_bad_length"),
        (payload("8580"), "85", "cpm_bad_length"),
        (payload("8583000001FF"), "85", "cpm_bad_length"),
        (payload("8505435056"), "85", "cpm_truncated"),
        (payload("85054350563032"), "85", "cpm_format"),
        (payload("61074F05A000000333"), "85", "cpm_format"),
        (payload(HEAD), "61", "cpm_missing"),
        (payload(&app(PAN)), "61.4F", "cpm_missing"),
        (payload(&app(AID)), "61", "cpm_no_card"),
        (payload(&format!("{}{HEAD}", with(""))), "85", "cpm_duplicate"),
        (payload(&format!("{}6200", common(""))), "62", "cpm_duplicate"),
        (payload(&with(PAN)), "61.5A", "cpm_duplicate"),
        (payload(&app("4F04A0000003")), "61.4F", "cpm_wrong_length"),
        (payload(&with("5000")), "61.50", "cpm_wrong_length"),
        (payload(&with("50020A0D")), "61.50", "cpm_characters"),
        (payload(&with("5701D1")), "61.57", "cpm_characters"),
        (payload(&with("570912345678D1912D201F")), "61.57", "cpm_characters"),
        (payload(&app(&format!("{AID}5A0B{}", "12".repeat(11)))), "61.5A", "cpm_wrong_length"),
        (payload(&app(&format!("{AID}5A0412ABCDEF"))), "61.5A", "cpm_characters"),
        (payload(&with("5F200141")), "61.5F20", "cpm_wrong_length"),
        (payload(&with("5F2D037A6865")), "61.5F2D", "cpm_wrong_length"),
        (payload(&with("5F2D027A31")), "61.5F2D", "cpm_characters"),
        (payload(&with("5F34020001")), "61.5F34", "cpm_wrong_length"),
        (payload(&with("9F080101")), "61.9F08", "cpm_wrong_length"),
        (payload(&with("9F190101")), "61.9F19", "cpm_wrong_length"),
        (payload(&with("9F240141")), "61.9F24", "cpm_wrong_length"),
        (payload(&with("9F250101")), "61.9F25", "cpm_wrong_length"),
        (payload(&with("9F2502AB12")), "61.9F25", "cpm_characters"),
        (payload(&with("6302 9F26".replace(' ', "").as_str())), "61.63.9F26", "cpm_bad_length"),
        (payload(&with("6400")), "61.64", "cpm_misplaced"),
        (payload(&with("6100")), "61.61", "cpm_misplaced"),
        (payload(&common("6300")), "62.63", "cpm_misplaced"),
        (payload(&common(AID)), "62.4F", "cpm_misplaced"),
    ];
    for (text, path, code) in cases {
        let error = decode(text).expect_err(path);
        assert_eq!((error.path.as_str(), error.code()), (*path, *code), "{text}");
    }
}

fn template(objects: Vec<Object>) -> DataTemplate {
    DataTemplate { objects }
}

fn sound() -> ConsumerQr {
    let card = Object::CardNumber(CardNumber::new("6217000000000000001").unwrap());
    ConsumerQr {
        applications: vec![template(vec![Object::Aid(bytes("A000000333")), card])],
        ..Default::default()
    }
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    type Edit = fn(&mut ConsumerQr);
    let cases: &[(Edit, &str, &str)] = &[
        (|q| q.applications.clear(), "61", "cpm_missing"),
        (|q| q.applications[0].objects.clear(), "61.4F", "cpm_missing"),
        (|q| q.applications[0].objects.truncate(1), "61", "cpm_no_card"),
        (|q| q.applications[0].objects.push(Object::Label(String::new())), "61.50", "cpm_wrong_length"),
        (|q| q.applications[0].objects.push(Object::Label("中".into())), "61.50", "cpm_characters"),
        (|q| q.applications[0].objects.push(Object::Aid(vec![1; 5])), "61.4F", "cpm_duplicate"),
        (|q| q.common = Some(template(vec![Object::Aid(vec![1; 5])])), "62.4F", "cpm_misplaced"),
        (|q| q.other.push(Tlv { tag: 0x61, value: vec![] }), "61", "cpm_misplaced"),
        (|q| q.other.push(Tlv { tag: 0x9F, value: vec![] }), "9F", "cpm_bad_tag"),
        (|q| q.other.push(Tlv { tag: 0xC1, value: vec![0; 65_536] }), "C1", "cpm_bad_length"),
        (|q| q.other.push(Tlv { tag: 0xC1, value: vec![0; 4096] }), "", "cpm_size"),
    ];
    sound().encode().unwrap();
    for (edit, path, code) in cases {
        let mut qr = sound();
        edit(&mut qr);
        let error: CpmError = qr.encode().expect_err(path);
        assert_eq!((error.path.as_str(), error.code()), (*path, *code));
    }
}

#[test]
fn lengths_at_their_boundaries_round_trip() {
    for length in [0, 127, 128, 255, 256, 2000] {
        let mut qr = sound();
        qr.other.push(Tlv { tag: 0xDF01, value: vec![7; length] });
        assert_eq!(decode(&qr.encode().unwrap()), Ok(qr), "{length}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic_and_what_is_read_is_written_back(tail in proptest::collection::vec(any::<u8>(), 0..60)) {
        // A sound payload up to an unknown object of eight bytes, which the first bytes of the tail fill.
        let mut raw = bytes("85054350563031611E4F07A00000055555505A081234567890123458DF0108");
        raw.extend(&tail);
        for payload in [STANDARD.encode(&raw), STANDARD.encode(&tail)] {
            if let Ok(qr) = decode(&payload) {
                prop_assert_eq!(decode(&qr.encode().unwrap()), Ok(qr));
            }
        }
    }

    #[test]
    fn written_is_read_back(
        aid in proptest::collection::vec(any::<u8>(), 5..=16),
        card in "[0-9]{8,19}",
        label in "[ -~]{1,16}",
        track in "[0-9]{8,16}D[0-9]{7,20}",
        chip in proptest::collection::vec(any::<u8>(), 0..300),
        in_common in any::<bool>(),
    ) {
        let chip = Object::Transparent(vec![Tlv { tag: 0x9F26, value: chip }]);
        let card = vec![
            Object::CardNumber(CardNumber::new(&card).unwrap()),
            Object::Track2(Track2::new(&track).unwrap()),
            chip,
        ];
        let mut own = vec![Object::Label(label), Object::Aid(aid)];
        let mut qr = ConsumerQr::default();
        if in_common {
            qr.common = Some(template(card));
        } else {
            own.extend(card);
        }
        qr.applications.push(template(own));
        prop_assert_eq!(decode(&qr.encode().unwrap()), Ok(qr));
    }
}
