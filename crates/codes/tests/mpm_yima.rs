//! Our own shops' payloads: made, read back, recognised.

use codes::mpm::{
    Initiation, MerchantQr, Numbered, ShopFace, YIMA_GUID, YimaRef, decode, merchant_dynamic,
    merchant_static, yima_reference,
};

const MERCHANT: &str = "mch_01h455vb4pex5vsknk084sn02q";
const TRADE: &str = "trd_01h455vb4pex5vsknk084sn02r";

fn shop() -> ShopFace<'static> {
    ShopFace {
        merchant: MERCHANT,
        name: "王记面馆",
        latin_name: None,
        city: "杭州",
        latin_city: Some("Hangzhou"),
        category_code: "5812",
        currency: "156",
        country: "CN",
    }
}

fn through_text(qr: &MerchantQr) -> MerchantQr {
    decode(&qr.encode().unwrap()).unwrap()
}

#[test]
fn poster() {
    let qr = through_text(&merchant_static(&shop()).unwrap());
    assert_eq!(qr.initiation, Some(Initiation::Static));
    assert_eq!(qr.amount, None);
    assert_eq!((qr.display_name(), qr.display_city()), ("王记面馆", "杭州"));
    assert_eq!((qr.merchant_name.as_str(), qr.merchant_city.as_str()), ("YIMA MERCHANT", "Hangzhou"));
    assert_eq!(yima_reference(&qr), Some(YimaRef { merchant: MERCHANT.into(), trade: None }));
}

#[test]
fn one_trade() {
    let qr = through_text(&merchant_dynamic(&shop(), TRADE, 2372, 2).unwrap());
    assert_eq!(qr.initiation, Some(Initiation::Dynamic));
    assert_eq!(qr.amount.as_ref().unwrap().to_minor(2), Ok(2372));
    assert_eq!(yima_reference(&qr), Some(YimaRef { merchant: MERCHANT.into(), trade: Some(TRADE.into()) }));
}

#[test]
fn long_names_are_cut_between_characters() {
    let name = "一二三四五六七八九十一二三四五六七八九十一二三四五六七八";
    let qr = through_text(&merchant_static(&ShopFace { name, ..shop() }).unwrap());
    assert_eq!(qr.display_name().chars().count(), 25);
    let name = "The Very Best Noodles of Hangzhou";
    let qr = through_text(&merchant_static(&ShopFace { name, city: "Hangzhou", ..shop() }).unwrap());
    assert_eq!(qr.display_name(), "The Very Best Noodles of");
    assert_eq!(qr.language, None);
}

#[test]
fn refusals() {
    type Make = fn() -> Result<MerchantQr, codes::mpm::MpmError>;
    let cases: &[(Make, &str, &str)] = &[
        (|| merchant_dynamic(&shop(), TRADE, 0, 2), "54", "amount_zero"),
        (|| merchant_dynamic(&shop(), TRADE, u64::MAX, 2), "54", "amount_too_long"),
        (|| merchant_dynamic(&shop(), "", 1, 2), "26.02", "empty_value"),
        (|| merchant_static(&ShopFace { merchant: "", ..shop() }), "26.01", "empty_value"),
        (|| merchant_static(&ShopFace { name: " ", city: "Hangzhou", ..shop() }), "59", "missing"),
        (|| merchant_static(&ShopFace { name: " ", ..shop() }), "64.01", "missing"),
        (|| merchant_static(&ShopFace { category_code: "58", ..shop() }), "52", "wrong_length"),
        (|| merchant_static(&ShopFace { latin_name: Some("王"), ..shop() }), "59", "not_ans"),
    ];
    for (make, path, code) in cases {
        let error = make().expect_err(path);
        assert_eq!((error.path.as_str(), error.code()), (*path, *code));
    }
}

#[test]
fn others_payloads_are_not_ours() {
    let ours = merchant_static(&shop()).unwrap();
    let cases = [
        vec![Numbered::template(26, "org.example", vec![codes::mpm::Field::new(1, MERCHANT)])],
        vec![Numbered::template(26, YIMA_GUID, vec![])],
        vec![Numbered::text(15, MERCHANT)],
    ];
    for accounts in cases {
        assert_eq!(yima_reference(&MerchantQr { accounts, ..ours.clone() }), None);
    }
    // Under another id, and beside another scheme's account, it still is.
    let mut moved = ours.clone();
    moved.accounts[0].id = 40;
    moved.accounts.push(Numbered::text(15, "31148000"));
    assert!(yima_reference(&through_text(&moved)).is_some());
}
