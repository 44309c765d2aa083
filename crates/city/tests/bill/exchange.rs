//! exchange: files through a folder, their numbers, their acknowledgements, and a crash between any two steps.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use city::bill::exchange::rules::{Kind, Missing, Outcome};
use city::bill::exchange::{self, Folder};
use city::bill::{self, reconcile};
use city::identity::{OwnerKind, Role};
use city::{City, Settings};
use kernel::Date;
use kernel::ids::BillerId;
use serde_json::{Value, json};

use crate::common::{Town, call, code, race};
use crate::support::{POWER, pay, power_file, shipped};

const DAY: u64 = 86_400;
const NAMES: &str = r#"
[exchange]
bills = "BILL_{date}_{seq:4}.txt"
settlement = "SETT_{date}_{seq:4}.txt"
returned = "RET_{date}_{seq:2}.txt"
ack_within_h = 24
"#;

fn monday() -> Date {
    Date::new(2026, 3, 2).unwrap()
}

/// A town where `hz-power` exchanges files, with what `names` says.
struct Place {
    town: Town,
    biller: BillerId,
}

impl Place {
    async fn new(names: &str, change: impl FnOnce(&mut Settings)) -> Place {
        let town = Town::with(|settings| {
            let at_once = Folder { quiet: Duration::ZERO, ..Folder::default() };
            settings.exchange.insert("hz-power".to_owned(), at_once);
            change(settings);
        })
        .await;
        let text = shipped("330100/hz-power").text + names;
        let biller = bill::add_pack(&town.city, &town.operator, &text).await.unwrap().biller;
        Place { town, biller }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.town.dir.path().join("exchange/hz-power").join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path("in")).unwrap();
        fs::write(self.path("in").join(name), bytes).unwrap();
    }

    async fn round(&self) {
        exchange::round(&self.town.city).await.unwrap();
    }

    /// Rounds until everything that came has ended and was told; says how it ended: name, outcome, code.
    async fn settle(&self) -> Vec<(String, Option<Outcome>, Option<String>)> {
        for _ in 0..2_000 {
            self.round().await;
            let found = self.received().await;
            if found.iter().all(|file| file.told_at.is_some()) {
                let mut ends: Vec<_> =
                    found.into_iter().map(|file| (file.name, file.outcome, file.code)).collect();
                ends.sort_by(|a: &(String, _, _), b| a.0.cmp(&b.0));
                return ends;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("files are never told of: {:?}", self.received().await);
    }

    async fn received(&self) -> Vec<exchange::Received> {
        exchange::received(&self.town.city, self.biller, &exchange::newest(), 100).await.unwrap()
    }

    fn ack(&self, name: &str) -> Value {
        let text = fs::read(self.path("ack").join(format!("{name}.ack"))).expect("an acknowledgement");
        serde_json::from_slice(&text).unwrap()
    }

    async fn concerns(&self) -> Vec<&'static str> {
        let found = exchange::concerns(&self.town.city).await.unwrap();
        found.into_iter().map(|concern| concern.code).collect()
    }

    async fn gaps(&self) -> Vec<(Kind, Missing)> {
        let found = exchange::overviews(&self.town.city).await.unwrap().remove(0);
        found.gaps.into_iter().map(|gap| (gap.kind, gap.missing)).collect()
    }

    async fn sql(&self, statements: &[&'static str]) {
        for statement in statements.iter().copied() {
            let done: Result<(), store::StoreError> = self
                .town
                .city
                .store
                .write(move |conn| {
                    Box::pin(async move {
                        store::query(statement).execute(conn).await?;
                        Ok(())
                    })
                })
                .await;
            done.unwrap();
        }
    }
}

fn names(directory: PathBuf) -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    found.sort();
    found
}

fn bills(first: &str) -> String {
    power_file(&[(POWER[0], first, "10.00"), (POWER[1], "B2", "20.50"), ("3339522521", "B3", "1.00")])
}

fn ended(name: &str, outcome: Outcome, code: Option<&str>) -> (String, Option<Outcome>, Option<String>) {
    (name.to_owned(), Some(outcome), code.map(str::to_owned))
}

#[tokio::test]
async fn a_file_in_the_folder_is_an_import_and_is_acknowledged() {
    let place = Place::new(NAMES, |_| ()).await;
    place.put("BILL_20260302_0001.txt", bills("B1"));
    assert_eq!(place.settle().await, [ended("BILL_20260302_0001.txt", Outcome::Accepted, None)]);
    let file = place.received().await.remove(0);
    assert_eq!((file.kind, file.seq, file.day), (Kind::Bills, Some(1), Some(monday())));
    assert_eq!(
        place.ack("BILL_20260302_0001.txt"),
        json!({
            "name": "BILL_20260302_0001.txt", "sha256": file.sha256, "outcome": "accepted", "sequence": 1,
            "records": 3, "amount_minor": 3_150, "added": 2, "unchanged": 0, "refused": 1,
            "errors": {"account_check_digit": 1}, "missing": [],
        })
    );
    assert_eq!(names(place.path("in")), [""; 0]);
    assert_eq!(names(place.path("in/taking")), [""; 0]);
    assert_eq!(names(place.path("in/done")), ["BILL_20260302_0001.txt"]);
    let import = bill::import_id(place.biller, &file.sha256);
    assert_eq!(file.import, Some(import));
    assert_eq!(bill::lookup(&place.town.city, import).await.unwrap().added, 2);
    assert_eq!(bill::fetch(&place.town.city, place.biller, POWER[0]).await.unwrap().len(), 1);
    assert_eq!(place.concerns().await, [""; 0]);

    // The same again: acknowledged again, taken in once.
    fs::remove_file(place.path("ack/BILL_20260302_0001.txt.ack")).unwrap();
    place.put("BILL_20260302_0001.txt", bills("B1"));
    assert_eq!(place.settle().await.len(), 1);
    assert_eq!(place.ack("BILL_20260302_0001.txt")["added"], 2);
    // Where files are not kept, the next one is gone when it is through.
    assert_eq!(names(place.path("in/taking")), [""; 0]);
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_reason_and_changes_nothing() {
    let place = Place::new(&NAMES.replace("ack_within", "first = 5\nack_within"), |_| ()).await;
    let whole = bills("B1");
    place.put("BILL_20260302_0005.txt", whole.replace("TOTAL|3", "TOTAL|4"));
    place.put("BILL_20260302_0004.txt", &whole);
    place.put("bills.txt", &whole);
    place.put("BILL_20260230_0006.txt", &whole);
    place.put("RET_20260302_05.txt", "");
    place.put("RET_20260301_05.txt", "x");
    place.put("SETT_20260301_0005.txt.ack", "accepted");
    let sett = json!({"name": "SETT_20260227_0001.txt", "sha256": "00", "outcome": "accepted"});
    place.put("SETT_20260227_0001.txt.ack", sett.to_string());
    place.put("BILL_20260302_0009.txt.part", &whole);
    place.put(".BILL_20260302_0009.txt", &whole);
    fs::create_dir_all(place.path("in/BILL_20260302_0010.txt")).unwrap();
    let refused = Outcome::Refused;
    assert_eq!(
        place.settle().await,
        [
            ended("BILL_20260230_0006.txt", refused, Some("exchange_name_unknown")),
            ended("BILL_20260302_0004.txt", refused, Some("sequence_below_first")),
            ended("BILL_20260302_0005.txt", refused, Some("file_count_differs")),
            ended("RET_20260301_05.txt", refused, Some("file_totals_missing")),
            ended("RET_20260302_05.txt", refused, Some("day_not_over")),
            ended("SETT_20260227_0001.txt.ack", refused, Some("ack_unknown")),
            ended("SETT_20260301_0005.txt.ack", refused, Some("ack_malformed")),
            ended("bills.txt", refused, Some("exchange_name_unknown")),
        ]
    );
    assert_eq!(code(bill::fetch(&place.town.city, place.biller, POWER[0]).await), "account_unknown");
    assert_eq!(names(place.path("in")), [".BILL_20260302_0009.txt", "BILL_20260302_0009.txt.part"]);
    assert_eq!(names(place.path("in/refused")).len(), 8);
    let ack = place.ack("BILL_20260302_0005.txt");
    assert_eq!((&ack["outcome"], &ack["code"]), (&json!("refused"), &json!("file_count_differs")));
    // An acknowledgement is not acknowledged.
    assert!(names(place.path("ack")).iter().all(|name| !name.ends_with(".ack.ack")));
    assert_eq!(place.concerns().await, ["exchange_refused"; 8]);

    // A refused file uses no number up: put right, it is taken under the same one.
    place.put("BILL_20260302_0005.txt", &whole);
    let ends = place.settle().await;
    assert!(ends.contains(&ended("BILL_20260302_0005.txt", Outcome::Accepted, None)), "{ends:?}");
    assert_eq!(place.gaps().await, []);
}

#[tokio::test]
async fn a_number_serves_once_and_a_missing_one_is_told_until_it_comes() {
    let place = Place::new(NAMES, |_| ()).await;
    place.put("BILL_20260302_0001.txt", bills("B1"));
    place.settle().await;
    place.put("BILL_20260303_0004.txt", bills("B4"));
    place.settle().await;
    let missing = Missing { from: 2, to: 3 };
    assert_eq!(place.gaps().await, [(Kind::Bills, missing)]);
    assert_eq!(place.ack("BILL_20260303_0004.txt")["missing"], json!([{"from": 2, "to": 3}]));
    assert_eq!(place.concerns().await, ["exchange_gap"]);

    place.put("BILL_20260302_0003.txt", bills("B3"));
    place.put("BILL_20260303_0001.txt", bills("other content"));
    place.put("BILL_20260304_0001.txt", bills("B1"));
    let ends = place.settle().await;
    // The same number for other content is refused; for the same content it is that file once more.
    assert!(ends.contains(&ended("BILL_20260303_0001.txt", Outcome::Refused, Some("sequence_repeated"))));
    assert!(ends.contains(&ended("BILL_20260304_0001.txt", Outcome::Accepted, None)));
    assert_eq!(place.gaps().await, [(Kind::Bills, Missing { from: 2, to: 2 })]);
    assert_eq!(place.ack("BILL_20260302_0003.txt")["missing"], json!([{"from": 2, "to": 2}]));
    place.put("BILL_20260302_0002.txt", bills("B22"));
    place.settle().await;
    assert_eq!(place.gaps().await, []);
    assert_eq!(bill::fetch(&place.town.city, place.biller, POWER[0]).await.unwrap().len(), 4);
}

#[tokio::test]
async fn where_every_day_counts_from_the_start_each_is_a_series() {
    let daily = NAMES.replace("ack_within", "sequence = \"day\"\nack_within");
    let place = Place::new(&daily, |_| ()).await;
    for (name, first) in
        [("BILL_20260302_0001.txt", "A"), ("BILL_20260303_0001.txt", "B"), ("BILL_20260304_0002.txt", "C")]
    {
        place.put(name, bills(first));
    }
    place.settle().await;
    let seen = exchange::overviews(&place.town.city).await.unwrap().remove(0);
    let gaps: Vec<_> = seen.gaps.iter().map(|gap| (gap.day, gap.missing)).collect();
    assert_eq!(gaps, [(Some(Date::new(2026, 3, 4).unwrap()), Missing { from: 1, to: 1 })]);
    // Our own files count so too.
    place.town.pass(2 * DAY);
    place.round().await;
    let out = names(place.path("out"));
    assert_eq!(out, ["SETT_20260301_0001.txt", "SETT_20260302_0001.txt", "SETT_20260303_0001.txt"]);
}

#[tokio::test]
async fn a_file_that_grows_is_left_alone_until_it_rests() {
    let place = Place::new(NAMES, |settings| {
        settings.exchange.insert("hz-power".to_owned(), Folder { keep: false, ..Folder::default() });
    })
    .await;
    let whole = bills("B1");
    place.put("BILL_20260302_0001.txt", &whole.as_bytes()[..40]);
    place.round().await;
    place.town.pass(9);
    place.put("BILL_20260302_0001.txt", &whole);
    place.round().await;
    place.town.pass(9);
    place.round().await;
    assert_eq!(place.received().await, []);
    assert_eq!(names(place.path("in")), ["BILL_20260302_0001.txt"]);
    place.town.pass(1);
    assert_eq!(place.settle().await, [ended("BILL_20260302_0001.txt", Outcome::Accepted, None)]);
    assert_eq!(names(place.path("in/done")), [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_worked_is_told_and_holds_nothing_else_up() {
    use std::os::unix::ffi::OsStringExt as _;
    let place = Place::new(NAMES, |_| ()).await;
    fs::create_dir_all(place.path("in")).unwrap();
    let odd = place.path("in").join(std::ffi::OsString::from_vec(b"BILL_\xff.txt".to_vec()));
    fs::write(&odd, "x").unwrap();
    place.put("BILL_20260302_0001.txt", bills("B1"));
    assert_eq!(place.settle().await, [ended("BILL_20260302_0001.txt", Outcome::Accepted, None)]);
    assert_eq!(names(place.path("out")), ["SETT_20260301_0001.txt"]);
    assert_eq!(place.concerns().await, ["exchange_failing"]);
    fs::remove_file(odd).unwrap();
    place.round().await;
    assert_eq!(place.concerns().await, [""; 0]);
}

#[tokio::test]
async fn a_crash_between_any_two_steps_is_made_good() {
    const NAME: &str = "BILL_20260302_0001.txt";
    // What the crash left undone, as SQL; whether the acknowledgement was there, and where the file was.
    let untold = "UPDATE exchange_in SET told_at = NULL";
    let taking = "UPDATE exchange_in SET told_at = NULL, state = 'taking', ended_at = NULL";
    let rows: [(&str, &[&'static str], bool, &str); 6] = [
        (
            "taken up, not judged",
            &["DELETE FROM exchange_in", "DELETE FROM exchange_sequence"],
            false,
            "in/taking",
        ),
        (
            "numbered, not begun",
            &[taking, "DELETE FROM import", "DELETE FROM import_error"],
            false,
            "in/taking",
        ),
        ("taken in, not noted", &[taking], false, "in/taking"),
        ("noted, not told", &[untold], false, "in/taking"),
        ("told, not put away", &[untold], true, "in/taking"),
        ("put away, not noted", &[untold], true, "in/done"),
    ];
    for (what, statements, told, at) in rows {
        let mut place = Place::new(NAMES, |_| ()).await;
        place.put(NAME, bills("B1"));
        place.settle().await;
        let before = place.ack(NAME);
        place.sql(statements).await;
        if !told {
            fs::remove_file(place.path("ack").join(format!("{NAME}.ack"))).unwrap();
        }
        fs::rename(place.path("in/done").join(NAME), place.path(at).join(NAME)).unwrap();
        place.town = place.town.reopen().await;
        place.town.pass(60); // the lease of the node that died
        assert_eq!(place.settle().await, [ended(NAME, Outcome::Accepted, None)], "{what}");
        assert_eq!(names(place.path("in/done")), [NAME], "{what}");
        assert_eq!(names(place.path("in/taking")), [""; 0], "{what}");
        let after = place.ack(NAME);
        if what == "numbered, not begun" {
            // Its rows were there all the same: none of them twice.
            assert_eq!((&after["added"], &after["unchanged"]), (&json!(0), &json!(2)));
        } else {
            assert_eq!(after, before, "{what}");
        }
        assert_eq!(bill::fetch(&place.town.city, place.biller, POWER[0]).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn two_nodes_at_one_folder_take_a_file_in_once() {
    let place = Place::new(NAMES, |_| ()).await;
    place.put("BILL_20260302_0001.txt", bills("B1"));
    let nodes: Vec<City> = vec![place.town.city.clone(), place.town.node().await];
    let rounds = race(8, |i| {
        let node = nodes[i % 2].clone();
        async move { exchange::round(&node).await }
    })
    .await;
    assert!(rounds.iter().all(Result::is_ok));
    // Whichever has the lease keeps it; the other has it when the time is over.
    place.town.pass(60);
    assert_eq!(place.settle().await, [ended("BILL_20260302_0001.txt", Outcome::Accepted, None)]);
    assert_eq!(place.ack("BILL_20260302_0001.txt")["added"], 2);
    let seen = exchange::overviews(&nodes[1]).await.unwrap().remove(0);
    assert_eq!(seen.failing, None);
}

#[tokio::test]
async fn the_days_file_goes_out_once_and_its_acknowledgement_comes_back() {
    let mut place = Place::new(NAMES, |_| ()).await;
    place.put("BILL_20260302_0001.txt", bills("B1"));
    place.settle().await;
    let who = place.town.rich("13800000001", 5_000_000).await;
    let owed = bill::fetch(&place.town.city, place.biller, POWER[0]).await.unwrap().remove(0);
    pay(&place.town, &who, owed.bill.id).await.unwrap();
    assert_eq!(names(place.path("out")), ["SETT_20260301_0001.txt"], "the day before, without payments");
    place.town.pass(DAY);
    place.round().await;
    let name = "SETT_20260302_0002.txt";
    assert_eq!(names(place.path("out")), ["SETT_20260301_0001.txt", name]);
    let bytes = fs::read(place.path("out").join(name)).unwrap();
    assert_eq!(reconcile::settlement_file(&place.town.city, place.biller, monday()).await.unwrap(), bytes);

    // A crash before the file lay there: the same file, the same number.
    place.sql(&["UPDATE exchange_out SET written_at = NULL WHERE seq = 2"]).await;
    fs::remove_file(place.path("out").join(name)).unwrap();
    place.town = place.town.reopen().await;
    place.town.pass(60);
    place.round().await;
    assert_eq!(fs::read(place.path("out").join(name)).unwrap(), bytes);
    // What the biller takes away does not come again.
    fs::remove_file(place.path("out").join(name)).unwrap();
    place.round().await;
    assert_eq!(names(place.path("out")), ["SETT_20260301_0001.txt"]);

    // Nothing comes back for a day: somebody has to know.
    assert_eq!(place.concerns().await, ["exchange_unacknowledged"], "that of Sunday is a day old");
    let sent = exchange::sent(&place.town.city, place.biller, None, 10).await.unwrap();
    for (file, outcome, code) in
        [(&sent[1], "accepted", Value::Null), (&sent[0], "refused", json!("sum_wrong"))]
    {
        let ack = json!({"name": file.name, "sha256": file.sha256, "outcome": outcome, "code": code, "x": 1});
        place.put(&format!("{}.ack", file.name), ack.to_string());
    }
    place.settle().await;
    assert_eq!(place.concerns().await, ["exchange_refused_there"]);
    // Of other content than was sent.
    let ack = json!({"name": name, "sha256": "00", "outcome": "accepted"});
    place.put(&format!("{name}.ack"), ack.to_string());
    let ends = place.settle().await;
    assert!(ends.contains(&ended(&format!("{name}.ack"), Outcome::Refused, Some("ack_differs"))), "{ends:?}");
    // The last word counts.
    let ack = json!({"name": name, "sha256": sent[0].sha256, "outcome": "accepted"});
    place.put(&format!("{name}.ack"), ack.to_string());
    place.settle().await;
    let sent = exchange::sent(&place.town.city, place.biller, None, 10).await.unwrap();
    assert!(sent.iter().all(|file| file.outcome == Some(Outcome::Accepted)));

    // The biller returns it: it is what a match compares with.
    place.put("RET_20260302_02.txt", &bytes);
    place.settle().await;
    let report =
        reconcile::run(&place.town.city, &place.town.operator, place.biller, monday()).await.unwrap();
    assert_eq!((report.billers.map(|t| t.count), report.matched, report.breaks), (Some(1), 1, 0));
    assert_eq!(place.gaps().await, [(Kind::Returned, Missing { from: 1, to: 1 })]);
    // A filler that comes late does not take the place of what came after it.
    let empty = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = empty.lines().collect();
    place.put("RET_20260302_01.txt", format!("{}\nTOTAL|0|0.00\n", lines[0]));
    place.settle().await;
    assert_eq!(place.gaps().await, []);
    let report =
        reconcile::run(&place.town.city, &place.town.operator, place.biller, monday()).await.unwrap();
    assert_eq!((report.billers.map(|t| t.count), report.breaks), (Some(1), 0));
}

#[tokio::test]
async fn operators_see_the_folders_page_by_page() {
    let place = Place::new(NAMES, |_| ()).await;
    for n in 1..=3 {
        place.put(&format!("BILL_20260302_000{n}.txt"), bills(&format!("B{n}")));
        place.settle().await;
        place.town.pass(1);
    }
    let key = place.town.key(OwnerKind::Operator, place.town.operator.id.as_u128(), Role::Viewer).await;
    let (router, _) = bill::http::routes().split_for_parts();
    let router = router.with_state(place.town.city.clone());
    let get = async |path: &str, key: &str| call(&router, "GET", path, key, ()).await;
    let (status, all) = get("/v1/operator/exchange", &key).await;
    assert_eq!((status, &all["items"][0]["pack"]), (200, &json!("hz-power")), "{all}");
    assert_eq!(all["items"][0]["received"]["sequence"], 3);
    assert_eq!(all["items"][0]["sent"]["day"], "2026-03-01");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = get(&format!("/v1/operator/exchange/hz-power/in?limit=1{cursor}"), &key).await;
        let Some(item) = page["items"].get(0) else { break };
        seen.push(item["sequence"].as_u64().unwrap());
        cursor = format!("&cursor={}", page["next"].as_str().unwrap());
    }
    assert_eq!(seen, [3, 2, 1]);
    let (_, out) = get("/v1/operator/exchange/hz-power/out", &key).await;
    assert_eq!(out["items"][0]["name"], "SETT_20260301_0001.txt");
    for (path, status, code) in [
        ("/v1/operator/exchange/hz-power/in?cursor=x", 400, "malformed_cursor"),
        ("/v1/operator/exchange/hz-power/out?cursor=x", 400, "malformed_cursor"),
        ("/v1/operator/exchange/nobody/in", 404, "biller_unknown"),
        ("/v1/operator/exchange/!/out", 400, "malformed_id"),
    ] {
        let (found, problem) = get(path, &key).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{path}");
    }
    for path in
        ["/v1/operator/exchange", "/v1/operator/exchange/hz-power/in", "/v1/operator/exchange/hz-power/out"]
    {
        assert_eq!(get(path, "nobody").await.0, 401, "{path}");
    }
}

#[test]
fn a_pack_whose_names_could_be_mistaken_is_refused() {
    let text = shipped("330100/hz-power").text;
    for (names, wanted) in [
        (NAMES.replace("RET_", "BILL_").replace("seq:2", "seq:4"), "called the same"),
        (NAMES.replace("RET_{date}_", "RET_"), "needs {date}"),
        (NAMES.replace("bills =", "# bills ="), "exchange.bills"),
        (NAMES.replace("BILL_{date}", "../{date}"), "letters, digits"),
        (NAMES.replace("= 24", "= 0"), "1 to 720"),
        (NAMES.replace("ack_within_h = 24", "first = 100"), "does not fit"),
        (NAMES.replace("ack_within_h", "ack_within"), "unknown field"),
    ] {
        let why = bill::Pack::parse(&(text.clone() + &names)).unwrap_err().to_string();
        assert!(why.contains(wanted), "{names}: {why}");
    }
    assert!(bill::Pack::parse(&(text + NAMES)).is_ok());
}
