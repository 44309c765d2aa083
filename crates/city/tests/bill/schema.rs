//! The published schema of packs: an independent validator (`jsonschema`, PyPI) agrees with our parser on every shipped pack,
//! and the schema has the parser's own keys, no more and no fewer.

use std::collections::BTreeSet;
use std::process::Command;

use city::bill::Pack;
use serde_json::Value;

use crate::support::packs_dir;

fn schema() -> Value {
    let text = std::fs::read_to_string(packs_dir().join("schema.json")).expect("the schema");
    serde_json::from_str(&text).expect("JSON")
}

/// What the parser says it expects where it finds something strange: the names in its message.
fn expected(text: &str) -> BTreeSet<String> {
    let why = Pack::parse(text).expect_err("something strange").to_string();
    let list = why.split_once("expected").unwrap_or_else(|| panic!("{why}")).1;
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn keys(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let found = schema.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
    match found {
        Value::Object(members) => members.keys().cloned().collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        other => panic!("{pointer}: {other}"),
    }
}

#[test]
fn the_schema_has_the_keys_and_the_names_of_the_parser() {
    let schema = schema();
    let text = |path: &str| std::fs::read_to_string(packs_dir().join(path)).expect("a shipped pack");
    let (file, live) = (text("330100/hz-power.toml"), text("../docs/guides/live-biller.toml"));
    let carried = text("110100/bj-power.toml");
    let by = text("120100/tj-water.toml");
    // Where something strange is put, and where the schema says what may stand there.
    let rows: &[(&str, &str, &str, &str)] = &[
        (&file, "id = ", "zzz = 1\nid = ", "/properties"),
        (&file, "[name]\n", "[name]\nzzz = 1\n", "/$defs/name/properties"),
        (&file, "[account]\n", "[account]\nzzz = 1\n", "/properties/account/properties"),
        (&file, "[bills]\n", "[bills]\nzzz = 1\n", "/properties/bills/properties"),
        (&file, "[bills.file]\n", "[bills.file]\nzzz = 1\n", "/$defs/layout/properties"),
        (&file, "[bills.file.totals]\n", "[bills.file.totals]\nzzz = 1\n", "/$defs/totals/properties"),
        (&file, "{ field = \"holder\" }", "{ field = \"holder\", zzz = 1 }", "/$defs/column/properties"),
        (&file, "[late_fee]\n", "[late_fee]\nzzz = 1\n", "/$defs/late_fee/properties"),
        (&file, "[settlement]\n", "[settlement]\nzzz = 1\n", "/properties/settlement/properties"),
        (&file, "[settlement]\n", "[exchange]\nzzz = 1\n[settlement]\n", "/properties/exchange/properties"),
        (&file, "[settlement]\n", "[supply]\nzzz = 1\n[settlement]\n", "/properties/supply/properties"),
        (
            &file,
            "[settlement.file]\n",
            "[settlement.payout]\nzzz = 1\n[settlement.file]\n",
            "/properties/settlement/properties/payout/properties",
        ),
        (
            &file,
            "[settlement]\n",
            "[supply]\nrestore_when = \"zzz\"\n[settlement]\n",
            "/properties/supply/properties/restore_when/enum",
        ),
        (&file, "[late_fee]\n", "[late_fee]\norder = \"zzz\"\n", "/$defs/late_fee/properties/order/enum"),
        (&file, "[bills]\n", "[bills]\norder = \"zzz\"\n", "/properties/bills/properties/order/enum"),
        (
            &file,
            "[bills]\n",
            "[bills]\nadvance_use = \"zzz\"\n",
            "/properties/bills/properties/advance_use/enum",
        ),
        (&live, "[[channels]]\n", "[[channels]]\nzzz = 1\n", "/$defs/channel/properties"),
        (&live, "[channels.direct]\n", "[channels.direct]\nzzz = 1\n", "/$defs/direct/properties"),
        (&live, "[channels.direct.pay]\n", "[channels.direct.pay]\nzzz = 1\n", "/$defs/call/properties"),
        (
            &live,
            "[channels.direct.query.debts]\n",
            "[channels.direct.query.debts]\nzzz = 1\n",
            "/$defs/debts/properties",
        ),
        (
            &carried,
            "[channels.bank]\n",
            "[channels.bank]\nzzz = 1\n",
            "/$defs/channel/properties/bank/properties",
        ),
        (
            &by,
            "[channels.provider]\n",
            "[channels.provider]\nzzz = 1\n",
            "/$defs/channel/properties/provider/properties",
        ),
        (&file, "category = \"power\"", "category = \"zzz\"", "/properties/category/enum"),
        (&file, "check = \"luhn\"", "check = \"zzz\"", "/properties/account/properties/check/enum"),
        (&file, "source = \"file\"", "source = \"zzz\"", "/properties/bills/properties/source/enum"),
        (
            &file,
            "amount_rule = \"exact\"",
            "amount_rule = \"zzz\"",
            "/properties/bills/properties/amount_rule/enum",
        ),
        (&file, "shape = \"delimited\"", "shape = \"zzz\"", "/$defs/layout/properties/shape/enum"),
        (&file, "encoding = \"utf-8\"", "encoding = \"zzz\"", "/$defs/layout/properties/encoding/enum"),
        (&file, "amount = \"yuan\"", "amount = \"zzz\"", "/$defs/layout/properties/amount/enum"),
        (&file, "date = \"YYYY-MM-DD\"", "date = \"zzz\"", "/$defs/layout/properties/date/enum"),
        (&file, "at = \"last\"", "at = \"zzz\"", "/$defs/totals/properties/at/enum"),
        (&file, "field = \"holder\"", "field = \"zzz\"", "/$defs/column/properties/field/enum"),
        (&file, "method = \"net\"", "method = \"zzz\"", "/properties/settlement/properties/method/enum"),
        (&file, "calendar = \"natural\"", "calendar = \"zzz\"", "/$defs/late_fee/properties/calendar/enum"),
        (&live, "format = \"json\"", "format = \"zzz\"", "/$defs/direct/properties/format/enum"),
        (&live, "\"0000\" = \"ok\"", "\"0000\" = \"zzz\"", "/$defs/meaning/enum"),
        (&live, "unit = \"yuan\"", "unit = \"zzz\"", "/$defs/debts/properties/unit/enum"),
    ];
    for (text, from, to, pointer) in rows {
        assert!(text.contains(from), "{from}");
        assert_eq!(keys(&schema, pointer), expected(&text.replacen(from, to, 1)), "{pointer}");
    }
    let kinds = expected(&live.replacen("kind = \"hmac-sha256\"", "kind = \"zzz\"", 1));
    let ours = schema.pointer("/$defs/auth/oneOf").and_then(Value::as_array).expect("the kinds").iter();
    let ours: BTreeSet<String> =
        ours.filter_map(|one| one.pointer("/properties/kind/const")?.as_str().map(str::to_owned)).collect();
    assert_eq!(ours, kinds);
}

const VALIDATE: &str = "
import glob, json, sys, tomllib, jsonschema
schema = json.load(open(sys.argv[1] + '/schema.json'))
jsonschema.Draft202012Validator.check_schema(schema)
judge = jsonschema.Draft202012Validator(schema)
packs = sorted(glob.glob(sys.argv[1] + '/[0-9]*/*.toml'))
for path in packs:
    pack = tomllib.load(open(path, 'rb'))
    for wrong in judge.iter_errors(pack):
        sys.exit(path + ' ' + wrong.json_path + ' ' + wrong.message)
    for spoilt in ({**pack, 'zzz': 1}, {**pack, 'category': 'steam'}, {**pack, 'settlement': {}}):
        if judge.is_valid(spoilt):
            sys.exit(path + ': the schema lets it pass spoilt')
print(len(packs))
";

#[test]
fn every_shipped_pack_is_valid_by_an_independent_validator() {
    let Some(python) = std::env::var_os("YIMA_PYTHON") else {
        let demanded = ["CI", "YIMA_REQUIRE_TOOLS"].iter().any(|v| std::env::var_os(v).is_some());
        assert!(
            !demanded,
            "YIMA_PYTHON names no interpreter with jsonschema: see crates/channel/tests/independent"
        );
        println!("skipped: YIMA_PYTHON names no interpreter with jsonschema");
        return;
    };
    let out = Command::new(python).args(["-c", VALIDATE]).arg(packs_dir()).output().expect("it runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "60");
}
