//! The bills a resident has paid: filtered, summed up by month, and their receipt as a real PDF, read back with
//! `pdftotext` and `pdftoppm` (poppler-utils, with poppler-data).

use std::process::Command;

use city::bill::{self, PayBill};
use city::identity;
use serde_json::{Value, json};

use crate::common::{Town, call, call_raw};
use crate::support::{POWER, first_account, import, packs_dir, pay, power_file, shipped, wish};

async fn token(town: &Town, phone: &str) -> String {
    town.pass(60);
    identity::request_code(&town.city, phone).await.unwrap();
    let sent = town.code_sent_to(phone);
    identity::sign_in(&town.city, phone, &sent, Some("王小明")).await.unwrap().token
}

fn router(town: &Town) -> axum::Router {
    city::bill::http::routes().split_for_parts().0.with_state(town.city.clone())
}

/// Three power bills paid on 2, 3 and 30 March, a water bill on 30 March.
async fn paid() -> (Town, String, Vec<String>) {
    let town = Town::new().await;
    let who = town.rich("13800000001", 9_000_000).await;
    let power = shipped("330100/hz-power").biller;
    let rows = [(POWER[0], "B1", "100.00"), (POWER[0], "B2", "70.00"), (POWER[0], "B3", "50.00")];
    import(&town, power, power_file(&rows).as_bytes()).await.unwrap();
    let mut bills = bill::fetch(&town.city, power, POWER[0]).await.unwrap();
    bills.sort_by_key(|view| view.bill.bill_no.clone());
    let mut ids = Vec::new();
    for (view, wait_s) in bills.iter().zip([86_400, 27 * 86_400, 60]) {
        ids.push(pay(&town, &who, view.bill.id).await.unwrap().settled.payment.to_string());
        town.pass(wait_s);
    }
    let water = shipped("330100/hz-water");
    let sample = packs_dir().join("330100/samples/hz-water-202602.dat");
    import(&town, water.biller, &std::fs::read(&sample).unwrap()).await.unwrap();
    let found = bill::fetch(&town.city, water.biller, &first_account(&water, &sample)).await.unwrap();
    let wish = PayBill { pin: Some("135790".into()), ..wish(&town, found[0].bill.id).await };
    town.pin(&who).await;
    ids.push(bill::pay(&town.city, &who, wish).await.unwrap().settled.payment.to_string());
    let token = token(&town, "13800000001").await;
    (town, token, ids)
}

#[tokio::test]
async fn filtered_and_paged() {
    let (town, token, ids) = paid().await;
    let router = router(&town);
    let newest: Vec<&str> = ids.iter().rev().map(String::as_str).collect();
    let power = shipped("330100/hz-power").biller.to_string();
    for (query, wanted) in [
        (String::new(), &newest[..]),
        ("&category=power".into(), &newest[1..]),
        ("&category=water".into(), &newest[..1]),
        ("&category=tax".into(), &[]),
        ("&biller=hz-power".into(), &newest[1..]),
        (format!("&biller={power}&to=2026-03-03"), &newest[2..]),
        ("&biller=hz-power&category=water".into(), &[]),
        ("&from=2026-03-03".into(), &newest[..3]),
        ("&from=2026-03-03&to=2026-03-03".into(), &newest[2..3]),
        ("&to=2026-03-02".into(), &newest[3..]),
        ("&from=2026-04-01".into(), &[]),
        ("&to=1969-12-31".into(), &[]),
    ] {
        for limit in [1, 2, 200] {
            let (mut shown, mut cursor) = (Vec::new(), String::new());
            loop {
                let path = format!("/v1/bill-payments?limit={limit}{query}{cursor}");
                let (status, page) = call(&router, "GET", &path, &token, ()).await;
                assert_eq!(status, 200, "{path}: {page}");
                let items = page["items"].as_array().expect("items");
                shown.extend(items.iter().map(|i| i["payment"]["id"].as_str().expect("an id").to_owned()));
                let Some(next) = page["next"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(shown, wanted, "{query} by {limit}");
        }
    }
    for (query, status, code) in [
        ("category=food", 400, "malformed_query"),
        ("biller=x", 400, "malformed_id"),
        ("from=soon", 400, "malformed_day"),
        ("from=2026-03-03&to=2026-03-02", 422, "days_unacceptable"),
        ("cursor=x", 400, "malformed_cursor"),
    ] {
        let (got, answer) = call(&router, "GET", &format!("/v1/bill-payments?{query}"), &token, ()).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{query}: {answer}");
    }
}

#[tokio::test]
async fn summed_up_by_month() {
    let (town, token, _) = paid().await;
    let who = identity::authenticate_resident(&town.city, &token).await.unwrap();
    // Half past midnight of 1 April in China is still March in UTC.
    town.clock.set("2026-03-31T16:30:00Z".parse().unwrap());
    let power = shipped("330100/hz-power").biller;
    import(&town, power, power_file(&[(POWER[1], "C1", "9.00")]).as_bytes()).await.unwrap();
    let found = bill::fetch(&town.city, power, POWER[1]).await.unwrap();
    let late = pay(&town, &who, found[0].bill.id).await.unwrap();
    let router = router(&town);
    let months = async |query: &str| {
        call(&router, "GET", &format!("/v1/bill-payments/months?{query}"), &token, ()).await
    };
    let (status, answer) = months("year=2026").await;
    assert_eq!((status, &answer["year"]), (200, &json!(2026)), "{answer}");
    let items = answer["items"].as_array().expect("items");
    let names: Vec<&str> = items.iter().map(|item| item["month"].as_str().expect("a month")).collect();
    assert_eq!((names.len(), names[0], names[11]), (12, "2026-01", "2026-12"));
    let counts: Vec<u64> = items.iter().map(|item| item["count"].as_u64().expect("a count")).collect();
    assert_eq!(counts, [0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let cny = |minor: i64| json!({"minor": minor, "currency": "CNY"});
    assert_eq!(items[3]["amount"], cny(late.settled.amount_minor));
    let (_, list) = call(&router, "GET", "/v1/bill-payments?to=2026-03-31", &token, ()).await;
    let march: i64 = list["items"]
        .as_array()
        .expect("items")
        .iter()
        .fold(0, |sum, item| sum + item["payment"]["amount"]["minor"].as_i64().expect("minor units"));
    assert_eq!(items[2]["amount"], cny(march), "the months say what the list says");
    for year in ["2025", "1969", "2200", "9998", "-9999"] {
        let (status, answer) = months(&format!("year={year}")).await;
        let counted: u64 =
            answer["items"].as_array().expect("items").iter().map(|i| i["count"].as_u64().unwrap()).sum();
        assert_eq!((status, counted), (200, 0), "{year}");
    }
    for query in ["", "year=this", "year=9999", "year=20000", "year=99999", "month=3"] {
        let (status, answer) = months(query).await;
        assert_eq!((status, answer["code"].as_str()), (400, Some("malformed_query")), "{query}: {answer}");
    }
}

/// Output of a program, or `None` where it is not installed and need not be.
fn run(program: &str, args: &[&str]) -> Option<Vec<u8>> {
    let Ok(output) = Command::new(program).args(args).output() else {
        let needed = ["CI", "YIMA_REQUIRE_TOOLS"].iter().any(|v| std::env::var_os(v).is_some());
        assert!(!needed, "{program} is not installed");
        println!("skipped: {program} not installed");
        return None;
    };
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

#[tokio::test]
async fn a_receipt_is_a_pdf_that_reads_back() {
    let (town, token, ids) = paid().await;
    let router = router(&town);
    let auth = format!("Bearer {token}");
    let get = async |id: &str, auth: &str| {
        let path = format!("/v1/bill-payments/{id}/receipt.pdf");
        call_raw(&router, "GET", &path, &[("authorization", auth)], ()).await
    };
    let (status, pdf) = get(&ids[0], &auth).await;
    assert_eq!(status, 200);
    assert!(pdf.starts_with(b"%PDF-1.5\n") && pdf.ends_with(b"%%EOF\n"));
    let other = format!("Bearer {}", self::token(&town, "13800000002").await);
    for (id, auth, wanted, code) in [
        (ids[0].as_str(), other.as_str(), 404, "payment_unknown"),
        ("pay_01h2xcejqtf2nbrexx3vqjhp41", auth.as_str(), 404, "payment_unknown"),
        ("1", auth.as_str(), 400, "malformed_id"),
        (ids[0].as_str(), "", 401, "unauthenticated"),
    ] {
        let (status, body) = get(id, auth).await;
        let answer: Value = serde_json::from_slice(&body).expect("a problem");
        assert_eq!((status, answer["code"].as_str()), (wanted, Some(code)), "{id}");
    }
    let file = town.dir.path().join("receipt.pdf");
    std::fs::write(&file, &pdf).expect("written");
    let file = file.to_str().expect("UTF-8");
    let Some(text) = run("pdftotext", &["-layout", "-enc", "UTF-8", file, "-"]) else { return };
    let text = String::from_utf8_lossy(&text);
    for wanted in [
        "缴费电子回执 Payment receipt",
        "收款单位 Biller",
        "杭州供电 Hangzhou Power",
        POWER[0],
        "**明",
        "B1",
        "2026-02",
        "100.00 CNY",
        "0.00 CNY",
        "2026-03-02 10:00:00",
        &ids[0],
    ] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    let picture = town.dir.path().join("receipt");
    let picture = picture.to_str().expect("UTF-8");
    let Some(_) = run("pdftoppm", &["-r", "300", "-singlefile", file, picture]) else { return };
    let ppm = std::fs::read(format!("{picture}.ppm")).expect("a picture");
    let head = String::from_utf8_lossy(&ppm[..40]).into_owned();
    assert_eq!(head.lines().nth(1), Some("1748 2480"), "A5 in dots of a 300 dpi printer");
}
