//! Packs: what is refused and which key is named; account numbers; late fees.

use city::bill::account::{AccountFault, AccountRule};
use city::bill::calendar::Calendar;
use city::bill::fee::{self, assess};
use city::bill::pack::{FeeOrder, LateFee};
use city::bill::{self, BillerFilter, Category, Pack};

use crate::common::{Town, call, code};
use crate::support::shipped;

#[test]
fn a_pack_that_makes_no_sense_is_refused_by_its_key() {
    let good = shipped("330100/hz-power").text;
    let rows: &[(&str, &str, &str, &str)] = &[
        ("id = \"hz-power\"", "id = ", "pack_malformed", "line 2"),
        ("id = \"hz-power\"", "id = 7", "pack_malformed", "line 2"),
        ("id = \"hz-power\"", "", "pack_malformed", "id"),
        ("id = \"hz-power\"", "id = \"hz-power\"\nlate = 1", "pack_malformed", "late"),
        ("check = \"luhn\"", "check = \"lunh\"", "pack_malformed", "lunh"),
        ("source = \"file\"", "source = \"file\"\nsauce = 1", "pack_malformed", "sauce"),
        ("id = \"hz-power\"", "id = \"HZ\"", "pack_invalid", "id"),
        ("zh = \"杭州供电\"", "zh = \" \"", "pack_invalid", "name.zh"),
        ("region = \"330100\"", "region = \"3301\"", "pack_invalid", "region"),
        ("region = \"330100\"", "region = \"990000\"", "pack_invalid", "region"),
        ("pattern = \"33########\"", "pattern = \"\"", "pack_invalid", "account.pattern"),
        ("pattern = \"33########\"", "pattern = \"3 ########\"", "pack_invalid", "account.pattern"),
        ("pattern = \"33########\"", "pattern = \"@@########\"", "pack_invalid", "account.pattern"),
        ("check = \"luhn\"", "check = \"mod97_10\"", "pack_example", "account.examples"),
        ("check = \"luhn\"", "check = \"weighted\"", "pack_invalid", "account.weights"),
        ("check = \"luhn\"", "check = \"luhn\"\nweights = [1]", "pack_invalid", "account.weights"),
        (
            "check = \"luhn\"",
            "check = \"luhn\"\ncheck_digits = \"1\"",
            "pack_invalid",
            "account.check_digits",
        ),
        (
            "\ncounter_examples = [",
            "\ncounter_examples = [\"3333333338\", ",
            "pack_example",
            "account.counter_examples",
        ),
        ("examples = [\"", "examples = [\"33", "pack_example", "account.examples"),
        ("delimiter = \"|\"", "delimiter = \"a\"", "pack_invalid", "bills.file.delimiter"),
        ("delimiter = \"|\"", "delimiter = \"-\"", "pack_invalid", "bills.file.delimiter"),
        ("delimiter = \"|\"", "", "pack_invalid", "bills.file.delimiter"),
        ("shape = \"delimited\"", "shape = \"fixed\"", "pack_invalid", "bills.file.delimiter"),
        ("{ field = \"holder\" }", "{ field = \"amount\" }", "pack_invalid", "bills.file.columns"),
        ("{ field = \"holder\" }", "{ field = \"tag\" }", "pack_invalid", "bills.file.columns"),
        ("{ field = \"holder\" }", "{ field = \"fee\" }", "pack_invalid", "bills.file.columns"),
        ("{ field = \"holder\" }", "{ field = \"holder\", width = 3 }", "pack_invalid", "bills.file.columns"),
        ("    { field = \"bill_no\" },\n", "", "pack_invalid", "bills.file.columns"),
        ("{ field = \"due\" }", "{ field = \"ignore\" }", "pack_invalid", "bills.due_days_after_period"),
        (
            "source = \"file\"",
            "source = \"file\"\ndue_days_after_period = 3",
            "pack_invalid",
            "bills.due_days_after_period",
        ),
        ("source = \"file\"", "source = \"file\"\nquote_valid_s = 1", "pack_invalid", "bills.quote_valid_s"),
        (
            "source = \"file\"",
            "source = \"file\"\nclaim_timeout_s = 1",
            "pack_invalid",
            "bills.claim_timeout_s",
        ),
        ("zh = \"杭州\"", "zh = \" 杭州\"", "pack_invalid", "city.zh"),
        ("en = \"Hangzhou\"", "en = \"\"", "pack_invalid", "city.en"),
        (
            "check = \"luhn\"",
            "check = \"luhn\"\nlabel = { zh = \"\", en = \"x\" }",
            "pack_invalid",
            "account.label.zh",
        ),
        ("tag = \"TOTAL\"", "tag = \"\"", "pack_invalid", "bills.file.totals.tag"),
        ("    { field = \"sum\" },\n", "", "pack_invalid", "bills.file.totals.columns"),
        ("    { field = \"tag\" },\n", "", "pack_invalid", "bills.file.totals.columns"),
        ("bps_per_day = 10", "bps_per_day = 10\nfixed_minor = 5", "pack_invalid", "late_fee"),
        ("bps_per_day = 10", "", "pack_invalid", "late_fee"),
        ("bps_per_day = 10", "bps_per_day = 5000", "pack_invalid", "late_fee.bps_per_day"),
        ("bps_per_day = 10", "fixed_minor = 0", "pack_invalid", "late_fee.fixed_minor"),
        ("cap_bps = 10000", "cap_bps = 0", "pack_invalid", "late_fee.cap_bps"),
        ("cap_bps = 10000", "grace_days = 400", "pack_invalid", "late_fee.grace_days"),
        ("fee_bps = 10", "fee_bps = 5000", "pack_invalid", "settlement.fee_bps"),
        ("days = 1\n", "days = 99\n", "pack_invalid", "settlement.days"),
        ("    { field = \"reference\" },\n", "", "pack_invalid", "settlement.file.columns"),
        ("{ field = \"net\" }", "{ field = \"due\" }", "pack_invalid", "settlement.file.columns"),
    ];
    for (from, to, code, key) in rows {
        assert!(good.contains(from), "{from}");
        let error = Pack::parse(&good.replacen(from, to, 1)).expect_err(to);
        assert_eq!(error.code(), *code, "{to}: {error}");
        assert!(error.to_string().contains(key), "{to}: {error}");
    }
}

#[test]
fn check_digits_agree_with_published_numbers() {
    let rule = |pattern: &str, check: &str, more: &str| -> AccountRule {
        let text = format!(
            "pattern = \"{pattern}\"\ncheck = \"{check}\"\nexamples = []\ncounter_examples = []\n{more}"
        );
        toml::from_str(&text).unwrap()
    };
    let gb11643 = "weights = [7,9,10,5,8,4,2,1,6,3,7,9,10,5,8,4,2]\ncheck_digits = \"10X98765432\"";
    let rows = [
        // ISO/IEC 7812-1 annex B.
        (rule("###########", "luhn", ""), "79927398713", Ok(())),
        (rule("###########", "luhn", ""), "79927398710", Err(AccountFault::CheckDigit)),
        // GB 11643-1999 section 6, example A.1; by ISO 7064 and by the standard's own weights.
        (rule("#################*", "mod11_2", ""), "11010519491231002X", Ok(())),
        (rule("#################*", "mod11_2", ""), "440524188001010014", Ok(())),
        (rule("#################*", "mod11_2", ""), "11010519491231002A", Err(AccountFault::CheckDigit)),
        (rule("#################*", "mod11_2", ""), "440524188001010041", Err(AccountFault::CheckDigit)),
        (rule("#################*", "weighted", gb11643), "11010519491231002X", Ok(())),
        (
            rule("#################*", "weighted", gb11643),
            "110105194912310021",
            Err(AccountFault::CheckDigit),
        ),
        // ISO 17442: a legal entity identifier.
        (rule("******************##", "mod97_10", ""), "5493001KJTIIGC8Y1R12", Ok(())),
        (rule("******************##", "mod97_10", ""), "5493001KJTIIGC8Y1R13", Err(AccountFault::CheckDigit)),
        // Shapes.
        (rule("A-##", "none", ""), "A-01", Ok(())),
        (rule("A-##", "none", ""), "B-01", Err(AccountFault::Shape)),
        (rule("@##", "none", ""), "a01", Err(AccountFault::Shape)),
        (rule("##", "none", ""), "1", Err(AccountFault::Shape)),
        (rule("##", "none", ""), "１2", Err(AccountFault::Shape)),
        (rule("**", "none", ""), "A1", Ok(())),
    ];
    for (rule, number, expected) in rows {
        assert_eq!(rule.check(number), expected, "{number}");
    }
}

#[test]
fn a_shape_is_an_expression_too() {
    for (pattern, expression) in [
        ("33########", "^33[0-9]{8}$"),
        ("7#######*", "^7[0-9]{7}[0-9A-Z]$"),
        ("@@#", "^[A-Z]{2}[0-9]$"),
        ("A-##/#", "^A-[0-9]{2}/[0-9]$"),
        (".^(#)++", r"^\.\^\([0-9]\)\+\+$"),
    ] {
        let text = format!("pattern = \"{pattern}\"\nexamples = []\ncounter_examples = []\n");
        assert_eq!(toml::from_str::<AccountRule>(&text).unwrap().expression(), expression, "{pattern}");
    }
}

#[tokio::test]
async fn a_client_learns_how_an_account_number_is_written() {
    let town = Town::new().await;
    let router = city::bill::http::routes().split_for_parts().0.with_state(town.city.clone());
    let text = shipped("330100/hz-water").text;
    let text = text.replace("id = \"hz-water\"", "id = \"hz-water-2\"");
    let text = text.replace("[account]\n", "[account]\nlabel = { zh = \"用户编号\", en = \"Customer\" }\n");
    let (start, end) = (text.find("[city]").unwrap(), text.find("[account]").unwrap());
    let text = format!("{}{}", &text[..start], &text[end..]);
    bill::add_pack(&town.city, &town.operator, &text).await.expect("a good pack");
    let rows = [
        ("hz-power", "杭州", "户号", "^33[0-9]{8}$", "3302005198", true),
        ("sh-broadband", "上海", "宽带账号", "^021[0-9]{8}$", "02132328220", false),
        ("hz-traffic", "杭州", "决定书编号", "^3301[0-9]{11}[0-9A-Z]$", "3301646192765567", true),
        ("hz-water-2", "", "用户编号", "^01[0-9]{10}$", "018030834913", true),
    ];
    for (pack, city, label, format, example, check_digit) in rows {
        let (_, found) = call(&router, "GET", &format!("/v1/billers?q={pack}"), "", ()).await;
        let found = &found["items"][0];
        assert_eq!(found["pack"], pack);
        assert_eq!(found["city"]["zh"].as_str().unwrap_or_default(), city, "{found}");
        assert_eq!(found["account"]["label"]["zh"], label, "{found}");
        let account = &found["account"];
        assert_eq!(
            (&account["format"], &account["example"], &account["check_digit"]),
            (&format.into(), &example.into(), &check_digit.into()),
            "{pack}"
        );
    }
    for (query, count) in [("q=HANGZHOU", 6), ("q=%E4%B8%8A%E6%B5%B7&category=power", 1), ("region=31", 6)] {
        let (_, found) = call(&router, "GET", &format!("/v1/billers?{query}"), "", ()).await;
        assert_eq!(found["items"].as_array().map(Vec::len), Some(count), "{query}: {found}");
    }
}

#[test]
fn late_fees_follow_the_calendar() {
    let rate = |bps| LateFee {
        from: None,
        order: FeeOrder::default(),
        bps_per_day: Some(bps),
        fixed_minor: None,
        grace_days: 0,
        cap_bps: None,
        calendar: Calendar::Natural,
    };
    let workdays = LateFee { calendar: Calendar::Workdays, ..rate(10) };
    let fixed = LateFee { bps_per_day: None, fixed_minor: Some(500), grace_days: 10, ..rate(1) };
    let rows = [
        // Rule, amount, due, today, fee.
        (None, 10_000, "2026-03-01", "2027-03-01", 0),
        (Some(rate(10)), 10_000, "2026-03-25", "2026-03-24", 0),
        (Some(rate(10)), 10_000, "2026-03-25", "2026-03-25", 0),
        (Some(rate(10)), 10_000, "2026-03-25", "2026-03-26", 10),
        (Some(rate(10)), 10_000, "2026-03-25", "2026-04-24", 300),
        (Some(rate(10)), 499, "2026-03-25", "2026-03-26", 0), // 0.499 fen
        (Some(rate(10)), 500, "2026-03-25", "2026-03-26", 1), // half up
        (Some(LateFee { grace_days: 5, ..rate(10) }), 10_000, "2026-03-25", "2026-03-30", 0),
        (Some(LateFee { grace_days: 5, ..rate(10) }), 10_000, "2026-03-25", "2026-03-31", 10),
        (Some(LateFee { cap_bps: Some(10_000), ..rate(300) }), 20_000, "2026-01-15", "2026-12-31", 20_000),
        // Due on New Year's Day 2026, a holiday with the two days after it; the 4th, a Sunday, is worked.
        (Some(workdays), 10_000, "2026-01-01", "2026-01-04", 0),
        (Some(workdays), 10_000, "2026-01-01", "2026-01-05", 10),
        // Over Spring Festival: the 14th (Saturday) is worked, the next workday is the 24th.
        (Some(workdays), 10_000, "2026-02-14", "2026-02-23", 0),
        (Some(workdays), 10_000, "2026-02-14", "2026-02-24", 10),
        (Some(fixed), 10_000, "2026-03-10", "2026-03-20", 0),
        (Some(fixed), 10_000, "2026-03-10", "2026-03-21", 500),
        (Some(fixed), 10_000, "2026-03-10", "2028-03-21", 500),
    ];
    for (rule, amount, due, today, fee) in rows {
        let rule = rule.as_slice();
        let lines = assess(rule, amount, due.parse().unwrap(), &[], today.parse().unwrap());
        let found = fee::rules::total(&lines);
        assert_eq!(found, fee, "{amount} due {due} paid {today}: {rule:?}");
    }
}

#[tokio::test]
async fn billers_are_found_by_region_category_and_name() {
    let town = Town::new().await;
    let find = async |region: Option<&str>, category, text: Option<&str>| {
        let filter =
            BillerFilter { region: region.map(str::to_owned), category, text: text.map(str::to_owned) };
        let found = bill::billers(&town.city, &filter).await.unwrap();
        found.iter().map(|p| p.spec.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(find(None, None, None).await.len(), 60);
    assert_eq!(
        find(Some("3301"), None, None).await,
        ["hz-broadband", "hz-gas", "hz-power", "hz-traffic", "hz-water"]
    );
    assert_eq!(find(Some("31"), Some(Category::Power), None).await, ["sh-power"]);
    assert_eq!(find(None, None, Some("上海自来水")).await, ["sh-water"]);
    assert_eq!(find(None, None, Some("TRAFFIC")).await, ["hz-traffic", "nc-traffic", "cd-traffic"]);
    assert!(find(Some("65"), None, None).await.is_empty());

    let unknown = kernel::ids::BillerId::from_u128(9);
    assert_eq!(code(bill::biller(&town.city, unknown).await), "biller_unknown");
    let power = shipped("330100/hz-power").biller;
    assert_eq!(code(bill::fetch(&town.city, power, "12").await), "account_shape");
    assert_eq!(code(bill::fetch(&town.city, power, "3333333333").await), "account_check_digit");
    assert_eq!(code(bill::fetch(&town.city, power, "3333333338").await), "account_unknown");
    // Another node learns of a new biller when it is asked for it.
    let node = town.node().await;
    let text = shipped("330100/hz-power").text.replace("id = \"hz-power\"", "id = \"hz-power-2\"");
    let added = bill::add_pack(&town.city, &town.operator, &text).await.unwrap();
    assert_eq!(bill::biller(&node, added.biller).await.unwrap().hash, added.hash);
    let staff = city::identity::Operator { role: city::identity::Role::Staff, ..town.operator };
    assert_eq!(code(bill::add_pack(&town.city, &staff, &text).await), "forbidden");
}

/// A pack that is closed.
#[tokio::test]
async fn a_biller_that_is_closed_takes_no_new_payment_and_keeps_what_was_paid() {
    let town = Town::new().await;
    let (_, first) = crate::support::one_bill(&town).await;
    let who = town.rich("13800138000", 50_000).await;
    let wish = crate::support::wish(&town, first.bill.id).await;
    let paid = bill::pay(&town.city, &who, wish.clone()).await.unwrap();
    let open = crate::support::power_file(&[(crate::support::POWER[1], "B2", "10.00")]);
    crate::support::import(&town, first.bill.biller, open.as_bytes()).await.unwrap();
    let second =
        bill::fetch(&town.city, first.bill.biller, crate::support::POWER[1]).await.unwrap().remove(0);
    let late = crate::support::wish(&town, second.bill.id).await;
    let text = shipped("330100/hz-power").text.replacen("region", "closed = true\nregion", 1);
    bill::add_pack(&town.city, &town.operator, &text).await.unwrap();
    assert_eq!(code(bill::pay(&town.city, &who, late).await), "biller_closed");
    let again = bill::pay(&town.city, &who, wish).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.settled.payment, paid.settled.payment);
}

#[test]
fn the_shipped_packs_are_of_every_category_and_way_in_25_cities() {
    use std::collections::BTreeSet;
    let packs = bill::shipped_packs();
    assert_eq!(packs.len(), 60);
    let distinct = |of: &dyn Fn(&Pack) -> String| packs.iter().map(|p| of(p)).collect::<BTreeSet<_>>().len();
    assert!(distinct(&|p| p.spec.region.clone()) >= 25);
    assert_eq!(distinct(&|p| p.spec.category.name().to_owned()), 14);
    assert_eq!(distinct(&|p| p.spec.name.zh.clone()), 60);
    let ways: BTreeSet<_> =
        packs.iter().flat_map(|p| p.spec.channels.iter().map(|c| c.way().name())).collect();
    assert_eq!(ways.into_iter().collect::<Vec<_>>(), ["bank", "direct", "provider"]);
    assert!(packs.iter().filter(|p| p.spec.channels.is_empty()).count() >= 8);
}
