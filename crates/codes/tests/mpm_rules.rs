//! Every refusal of the strict reader and of the writer, one table row each.

use codes::mpm::{
    AdditionalData, Amount, AmountError, ConsumerData, Entry, Field, Initiation, LanguageTemplate,
    MerchantQr, Numbered, Percentage, Tip, crc16, decode, decode_tolerant,
};

/// The objects of a sound payload, without the CRC.
const SOUND: &[(&str, &str)] = &[
    ("00", "01"),
    ("01", "12"),
    ("26", "0012org.yima.pay0103abc"),
    ("52", "5411"),
    ("53", "156"),
    ("54", "23.72"),
    ("58", "CN"),
    ("59", "BEST TRANSPORT"),
    ("60", "BEIJING"),
];

fn seal(objects: &[(&str, &str)]) -> String {
    let objects: Vec<String> =
        objects.iter().map(|(id, value)| format!("{id}{:02}{value}", value.chars().count())).collect();
    let text = objects.concat() + "6304";
    let crc = crc16(text.as_bytes());
    format!("{text}{crc:04X}")
}

/// Objects to put into [`SOUND`], as id and value.
type Edits = &'static [(&'static str, &'static str)];

/// SOUND with objects replaced or added; a value of `"-"` leaves the object out.
fn with(edits: Edits) -> String {
    let mut objects: Vec<(&str, &str)> = SOUND.to_vec();
    for (id, value) in edits {
        match objects.iter_mut().find(|o| o.0 == *id) {
            Some(object) => object.1 = value,
            None => objects.push((id, value)),
        }
    }
    objects.retain(|o| o.1 != "-");
    seal(&objects)
}

#[test]
fn the_sound_payload_is_sound() {
    decode(&with(&[])).unwrap();
}

#[test]
fn every_strict_refusal_names_its_field() {
    #[rustfmt::skip]
    let cases: &[(Edits, &str, &str)] = &[
        (&[("00", "-")], "00", "missing"),
        (&[("00", "02")], "00", "not_allowed"),
        (&[("01", "13")], "01", "not_allowed"),
        (&[("26", "-")], "02-51", "missing"),
        (&[("26", "0103abc")], "26.00", "missing"),
        (&[("26", "0000")], "26.00", "empty_value"),
        (&[("26", "0033012345678901234567890123456789012")], "26.00", "too_long"),
        (&[("26", "0004一码支付")], "26.00", "not_ans"),
        (&[("26", "0003abc0103abc0103abc")], "26.01", "duplicate"),
        (&[("26", "0003abc0100")], "26.01", "empty_value"),
        (&[("26", "0003abc0103a\nc")], "26.01", "control_character"),
        (&[("26", "0003abc0109abc")], "26", "not_a_template"),
        (&[("26", "plain")], "26", "not_a_template"),
        (&[("26", "")], "26", "empty_value"),
        (&[("02", "")], "02", "empty_value"),
        (&[("15", "银联")], "15", "not_ans"),
        (&[("52", "-")], "52", "missing"),
        (&[("52", "541")], "52", "wrong_length"),
        (&[("52", "54A1")], "52", "not_digits"),
        (&[("53", "-")], "53", "missing"),
        (&[("53", "CNY")], "53", "not_digits"),
        (&[("53", "0156")], "53", "wrong_length"),
        (&[("54", "")], "54", "amount_malformed"),
        (&[("54", "1,000")], "54", "amount_malformed"),
        (&[("54", "0.00")], "54", "amount_zero"),
        (&[("54", "12345678901.23")], "54", "amount_too_long"),
        (&[("55", "04")], "55", "not_allowed"),
        (&[("55", "02")], "56", "missing"),
        (&[("55", "03")], "57", "missing"),
        (&[("56", "5")], "55", "tip_conflict"),
        (&[("57", "5")], "55", "tip_conflict"),
        (&[("55", "01"), ("56", "5")], "55", "tip_conflict"),
        (&[("55", "02"), ("56", "5"), ("57", "5")], "55", "tip_conflict"),
        (&[("55", "02"), ("56", "x")], "56", "amount_malformed"),
        (&[("55", "03"), ("57", "100")], "57", "percentage"),
        (&[("55", "03"), ("57", "0")], "57", "percentage"),
        (&[("55", "03"), ("57", "1.234")], "57", "percentage"),
        (&[("55", "03"), ("57", "00.001")], "57", "percentage"),
        (&[("58", "-")], "58", "missing"),
        (&[("58", "CHN")], "58", "wrong_length"),
        (&[("58", "cn")], "58", "not_allowed"),
        (&[("59", "-")], "59", "missing"),
        (&[("59", "")], "59", "empty_value"),
        (&[("59", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")], "59", "too_long"),
        (&[("59", "最佳运输")], "59", "not_ans"),
        (&[("60", "-")], "60", "missing"),
        (&[("60", "ABCDEFGHIJKLMNOP")], "60", "too_long"),
        (&[("61", "12345678901")], "61", "too_long"),
        (&[("62", "")], "62", "empty_value"),
        (&[("62", "0011com.example")], "62.00", "id_out_of_range"),
        (&[("62", "07")], "62", "not_a_template"),
        (&[("62", "0700")], "62.07", "empty_value"),
        (&[("62", "0726ABCDEFGHIJKLMNOPQRSTUVWXYZ")], "62.07", "too_long"),
        (&[("62", "0702A10702A2")], "62.07", "duplicate"),
        (&[("62", "0901X")], "62.09", "not_allowed"),
        (&[("62", "0902MM")], "62.09", "not_allowed"),
        (&[("62", "0904AMEA")], "62.09", "too_long"),
        (&[("62", "1021012345678901234567890")], "62.10", "too_long"),
        (&[("62", "110201")], "62.11", "wrong_length"),
        (&[("62", "5005plain")], "62.50", "not_a_template"),
        (&[("62", "50070103abc")], "62.50.00", "missing"),
        (&[("64", "0104最佳运输")], "64.00", "missing"),
        (&[("64", "0002zh")], "64.01", "missing"),
        (&[("64", "0003zho0102北京")], "64.00", "wrong_length"),
        (&[("64", "0002z10102北京")], "64.00", "not_allowed"),
        (&[("64", "0002zh0102北京0216一二三四五六七八九十一二三四五六")], "64.02", "too_long"),
        (&[("65", "")], "65", "empty_value"),
        (&[("80", "0103abc")], "80.00", "missing"),
        (&[("99", "x")], "99", "not_a_template"),
    ];
    for (edits, path, code) in cases {
        let payload = with(edits);
        let error = decode(&payload).expect_err(&payload);
        assert_eq!((error.path.as_str(), error.code()), (*path, *code), "{payload}");
        assert!(error.to_string().starts_with(&format!("{path}: ")), "{error}");
        // The tolerant reader reads on, and names the same departure first.
        let tolerated = decode_tolerant(&payload).unwrap();
        assert_eq!(tolerated.departures[0], error, "{payload}");
    }
}

#[test]
fn refusals_of_structure() {
    let sound = with(&[]);
    let swapped = seal(&[SOUND[1], SOUND[0], SOUND[2], SOUND[3], SOUND[4], SOUND[6], SOUND[7], SOUND[8]]);
    let twice: Vec<_> = SOUND.iter().copied().chain([("54", "99.99")]).collect();
    let filler = "x".repeat(95);
    let mut huge: Vec<(&str, &str)> = SOUND.to_vec();
    huge.extend(["65", "66", "67", "68", "69"].map(|id| (id, filler.as_str())));
    let body = &sound[..sound.len() - 4];
    let wrong_digit = format!("{body}{}", if sound.ends_with('0') { "FFF1" } else { "0000" });
    let cases: &[(String, &str, &str)] = &[
        (String::new(), "", "empty"),
        ("1".repeat(7090), "", "payload_too_long"),
        (seal(&huge), "", "payload_too_long"),
        (swapped, "00", "not_first"),
        (seal(&twice), "54", "duplicate"),
        (body.to_owned(), "63", "truncated"),
        (sound[..sound.len() - 8].to_owned(), "63", "crc_missing"),
        (wrong_digit, "63", "crc_mismatch"),
        (format!("{body}{}", sound[body.len()..].to_lowercase()), "63", "crc_lower_case"),
        (sound.replace("BEIJING", "NANJING"), "63", "crc_mismatch"),
        (format!("{sound} "), &format!("@{}", sound.len()), "bad_header"),
        (sound.replacen("5204", "52+4", 1), "@39", "bad_header"),
        ("https://example.org/pay".to_owned(), "@0", "bad_header"),
        ("０００２".to_owned(), "@0", "bad_header"),
    ];
    for (payload, path, code) in cases {
        let error = decode(payload).expect_err(payload);
        assert_eq!((error.path.as_str(), error.code()), (*path, *code), "{payload}");
    }
}

#[test]
fn a_departure_never_changes_the_amount() {
    // A second amount is ignored, zero means the payer types it, nonsense stays unusable.
    let twice: Vec<_> = SOUND.iter().copied().chain([("54", "99.99")]).collect();
    let first = decode_tolerant(&seal(&twice)).unwrap().qr;
    assert_eq!(first.amount.unwrap().to_minor(2), Ok(2372));
    assert_eq!(decode_tolerant(&with(&[("54", "0")])).unwrap().qr.amount, None);
    let nonsense = decode_tolerant(&with(&[("54", "1,000")])).unwrap().qr.amount.unwrap();
    assert_eq!(nonsense.as_str(), "1,000");
    assert_eq!(nonsense.to_minor(2), Err(AmountError::Malformed));
}

fn sound() -> MerchantQr {
    decode(&with(&[])).unwrap()
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    type Edit = fn(&mut MerchantQr);
    let cases: &[(Edit, &str, &str)] = &[
        (|q| q.category_code.clear(), "52", "missing"),
        (|q| q.merchant_name.clear(), "59", "missing"),
        (|q| q.merchant_name = "王记面馆".into(), "59", "not_ans"),
        (|q| q.country = "china".into(), "58", "wrong_length"),
        (|q| q.accounts.clear(), "02-51", "missing"),
        (|q| q.accounts.push(Numbered::text(26, "x")), "26", "duplicate"),
        (|q| q.accounts.push(Numbered::text(52, "x")), "52", "id_out_of_range"),
        (|q| q.accounts.push(Numbered::template(2, "a.b", vec![])), "02", "id_out_of_range"),
        (|q| q.accounts.push(Numbered::text(2, "x".repeat(100))), "02", "too_long"),
        (|q| q.accounts.push(Numbered::template(27, "", vec![])), "27", "empty_value"),
        (
            |q| q.accounts.push(Numbered::template(27, "a.b", vec![Field::new(100, "x")])),
            "27.100",
            "id_out_of_range",
        ),
        (
            |q| q.accounts.push(Numbered::template(27, "a.b", vec![Field::new(0, "x")])),
            "27.00",
            "id_out_of_range",
        ),
        (|q| q.reserved.push(Field::new(80, "x")), "80", "id_out_of_range"),
        (|q| q.unreserved.push(Numbered::template(64, "a.b", vec![])), "64", "id_out_of_range"),
        (|q| q.postal_code = Some(String::new()), "61", "empty_value"),
        (|q| q.additional = Some(AdditionalData::default()), "62", "empty_value"),
        (
            |q| {
                q.additional = Some(AdditionalData {
                    store_label: Some(Entry::Given("x".repeat(26))),
                    ..Default::default()
                });
            },
            "62.03",
            "too_long",
        ),
        (|q| q.language = Some(LanguageTemplate::default()), "64", "empty_value"),
    ];
    for (edit, path, code) in cases {
        let mut qr = sound();
        edit(&mut qr);
        let error = qr.encode().expect_err(path);
        assert_eq!((error.path.as_str(), error.code()), (*path, *code));
    }
}

#[test]
fn every_field_is_written_where_it_belongs() {
    let qr = MerchantQr {
        initiation: Some(Initiation::Dynamic),
        accounts: vec![
            Numbered::text(15, "3114800"),
            Numbered::template(26, "a.b", vec![Field::new(1, "m")]),
        ],
        amount: Some(Amount::from_minor(5000, 2).unwrap()),
        tip: Some(Tip::Percent(Percentage::from_hundredths(550).unwrap())),
        postal_code: Some("310000".into()),
        additional: Some(AdditionalData {
            bill_number: Some("B1".into()),
            mobile_number: Some("***".into()),
            store_label: Some("S".into()),
            loyalty_number: Some("L".into()),
            reference_label: Some("R".into()),
            customer_label: Some("C".into()),
            terminal_label: Some("T".into()),
            purpose: Some("P".into()),
            consumer_data: vec![ConsumerData::Mobile, ConsumerData::Address, ConsumerData::Email],
            merchant_tax_id: Some("TAX".into()),
            merchant_channel: Some("403".into()),
            reserved: vec![Field::new(12, "rfu")],
            templates: vec![Numbered::template(50, "c.d", vec![Field::new(1, "x")])],
        }),
        language: Some(LanguageTemplate {
            language: "zh".into(),
            merchant_name: "最佳运输".into(),
            merchant_city: Some("北京".into()),
            reserved: vec![Field::new(3, "abcd")],
        }),
        reserved: vec![Field::new(65, "保留")],
        unreserved: vec![Numbered::template(80, "e.f", vec![Field::new(7, "y")])],
        ..sound()
    };
    let payload = qr.encode().unwrap();
    let shown = codes::mpm::inspect(&payload);
    #[rustfmt::skip]
    let fields = [
        ("00", "01"), ("01", "12"), ("15", "3114800"), ("26.00", "a.b"), ("26.01", "m"), ("52", "5411"), ("53", "156"),
        ("54", "50.00"), ("55", "03"), ("57", "5.50"), ("58", "CN"), ("59", "BEST TRANSPORT"), ("60", "BEIJING"),
        ("61", "310000"), ("62.01", "B1"), ("62.02", "***"), ("62.03", "S"), ("62.04", "L"), ("62.05", "R"),
        ("62.06", "C"), ("62.07", "T"), ("62.08", "P"), ("62.09", "MAE"), ("62.10", "TAX"), ("62.11", "403"),
        ("62.12", "rfu"), ("62.50.00", "c.d"), ("62.50.01", "x"), ("64.00", "zh"), ("64.01", "最佳运输"),
        ("64.02", "北京"), ("64.03", "abcd"), ("65", "保留"), ("80.00", "e.f"), ("80.07", "y"),
    ];
    for (path, value) in fields {
        assert_eq!(shown.field(path), Some(value), "{path}");
    }
    let ids: Vec<u8> = shown.objects().map(|(id, _)| id).collect();
    assert!(ids[..ids.len() - 2].is_sorted() && ids.last() == Some(&63), "{ids:?}");
    assert_eq!(decode(&payload), Ok(qr));
}
