//! Late fees: versions, workdays, parts and caps against hand-computed lines, and against a naive count of days.

use city::bill::calendar::Calendar;
use city::bill::fee::{Line, Portion, Why, assess, due_on, rules::total};
use city::bill::pack::{FeeOrder, LateFee};
use city::bill::{Pack, PackError};
use kernel::Date;
use proptest::prelude::*;

use crate::support::shipped;

fn date(text: &str) -> Date {
    text.parse().expect("a day")
}

/// Ten basis points a day, every day, ever since.
fn daily(bps: u32) -> LateFee {
    LateFee {
        from: None,
        bps_per_day: Some(bps),
        fixed_minor: None,
        grace_days: 0,
        cap_bps: None,
        calendar: Calendar::Natural,
        order: FeeOrder::PrincipalFirst,
    }
}

fn from(day: &str, rule: LateFee) -> LateFee {
    LateFee { from: Some(date(day)), ..rule }
}

fn part(day: &str, principal_minor: i64, fee_minor: i64) -> Portion {
    Portion { day: date(day), principal_minor, fee_minor }
}

/// From, to, days, base, basis points, amount, why.
type Expected = (&'static str, &'static str, u32, i64, u32, i64, Why);

fn told(line: &Line) -> (String, String, u32, i64, u32, i64, Why) {
    let Line { days, base_minor, bps, amount_minor, why, .. } = *line;
    (line.from.to_string(), line.to.to_string(), days, base_minor, bps, amount_minor, why)
}

#[test]
fn lines_say_what_was_charged_and_why() {
    let workdays = |rule| LateFee { calendar: Calendar::Workdays, ..rule };
    let fixed = |minor| LateFee { bps_per_day: None, fixed_minor: Some(minor), ..daily(1) };
    // Name, rules, amount, due, paid before, today, lines.
    type Row = (&'static str, Vec<LateFee>, i64, &'static str, Vec<Portion>, &'static str, Vec<Expected>);
    let rows: Vec<Row> = vec![
        ("no rule", vec![], 10_000, "2026-03-25", vec![], "2026-06-01", vec![]),
        ("in time", vec![daily(10)], 10_000, "2026-03-25", vec![], "2026-03-25", vec![]),
        (
            "thirty days",
            vec![daily(10)],
            10_000,
            "2026-03-25",
            vec![],
            "2026-04-24",
            vec![("2026-03-26", "2026-04-24", 30, 10_000, 10, 300, Why::Daily)],
        ),
        (
            "grace, then days",
            vec![LateFee { grace_days: 3, ..daily(10) }],
            10_000,
            "2026-03-25",
            vec![],
            "2026-03-30",
            vec![
                ("2026-03-26", "2026-03-28", 3, 10_000, 10, 0, Why::Grace),
                ("2026-03-29", "2026-03-30", 2, 10_000, 10, 20, Why::Daily),
            ],
        ),
        (
            // The cap is 25.00 yuan per hundred: 2 days at 10.00, then 5.00, then nothing.
            "cap reached in the middle of a day",
            vec![LateFee { cap_bps: Some(2_500), ..daily(1_000) }],
            10_000,
            "2026-03-25",
            vec![],
            "2026-03-31",
            vec![
                ("2026-03-26", "2026-03-27", 2, 10_000, 1_000, 2_000, Why::Daily),
                ("2026-03-28", "2026-03-31", 4, 10_000, 1_000, 500, Why::Cap),
            ],
        ),
        (
            // Spring Festival 2026: due Sunday 15 February, at rest to the 23rd, so due on the 24th; Saturday the 28th
            // is worked, Sunday 1 March is not. Charged: 25, 26, 27, 28 February and 2 March.
            "a due date at rest, and a day worked for it",
            vec![workdays(daily(10))],
            10_000,
            "2026-02-15",
            vec![],
            "2026-03-02",
            vec![("2026-02-25", "2026-03-02", 5, 10_000, 10, 50, Why::Daily)],
        ),
        (
            // National Day 2026: 1 to 7 October at rest (3 and 4 a weekend), Saturday the 10th worked, Sunday 20
            // September worked, Friday the 25th at rest. Charged: 28, 29, 30 September, 8, 9, 10 October.
            "over National Day",
            vec![workdays(daily(10))],
            10_000,
            "2026-09-24",
            vec![],
            "2026-10-11",
            vec![("2026-09-28", "2026-10-10", 6, 10_000, 10, 60, Why::Daily)],
        ),
        (
            // 30 and 31 December are a Wednesday and a Thursday; in 2027, whose notice is not in the data, workdays are
            // Monday to Friday: 1 January is a Friday.
            "over the end of the notices",
            vec![workdays(daily(10))],
            10_000,
            "2026-12-29",
            vec![],
            "2027-01-04",
            vec![
                ("2026-12-30", "2026-12-31", 2, 10_000, 10, 20, Why::Daily),
                ("2027-01-01", "2027-01-04", 2, 10_000, 10, 20, Why::Daily),
            ],
        ),
        (
            "a new version in the middle",
            vec![daily(10), from("2026-04-01", daily(5))],
            10_000,
            "2026-03-29",
            vec![],
            "2026-04-04",
            vec![
                ("2026-03-30", "2026-03-31", 2, 10_000, 10, 20, Why::Daily),
                ("2026-04-01", "2026-04-04", 4, 10_000, 5, 20, Why::Daily),
            ],
        ),
        (
            "the first version begins after the due date, and its grace with it",
            vec![from("2026-04-01", LateFee { grace_days: 1, ..daily(10) })],
            10_000,
            "2026-03-25",
            vec![],
            "2026-04-03",
            vec![
                ("2026-04-01", "2026-04-01", 1, 10_000, 10, 0, Why::Grace),
                ("2026-04-02", "2026-04-03", 2, 10_000, 10, 20, Why::Daily),
            ],
        ),
        (
            // A lower cap takes back nothing that was charged.
            "a version with a lower cap",
            vec![daily(100), from("2026-04-01", LateFee { cap_bps: Some(100), ..daily(100) })],
            10_000,
            "2026-03-29",
            vec![],
            "2026-04-03",
            vec![
                ("2026-03-30", "2026-03-31", 2, 10_000, 100, 200, Why::Daily),
                ("2026-04-01", "2026-04-03", 3, 10_000, 100, 0, Why::Cap),
            ],
        ),
        (
            "an amount once, and never twice",
            vec![LateFee { grace_days: 1, ..fixed(500) }, from("2026-04-01", fixed(900))],
            10_000,
            "2026-03-25",
            vec![],
            "2026-04-20",
            vec![
                ("2026-03-26", "2026-03-26", 1, 10_000, 0, 0, Why::Grace),
                ("2026-03-27", "2026-03-27", 1, 10_000, 0, 500, Why::Fixed),
            ],
        ),
        (
            // 40.00 paid on 30 March: that day still runs on 100.00, the next on 60.00.
            "a part in the middle",
            vec![daily(10)],
            10_000,
            "2026-03-25",
            vec![part("2026-03-30", 4_000, 0)],
            "2026-04-04",
            vec![
                ("2026-03-26", "2026-03-30", 5, 10_000, 10, 50, Why::Daily),
                ("2026-03-31", "2026-04-04", 5, 6_000, 10, 30, Why::Daily),
            ],
        ),
        (
            "a part that paid late fee",
            vec![daily(10)],
            10_000,
            "2026-03-25",
            vec![part("2026-03-30", 3_950, 50)],
            "2026-04-03",
            vec![
                ("2026-03-26", "2026-03-30", 5, 10_000, 10, 50, Why::Daily),
                // 4 days at 6.05 fen: 24.2.
                ("2026-03-31", "2026-04-03", 4, 6_050, 10, 24, Why::Daily),
                ("2026-03-30", "2026-03-30", 0, 0, 0, -50, Why::Paid),
            ],
        ),
        (
            "the bill is paid, its fee is not: it does not grow",
            vec![daily(10)],
            10_000,
            "2026-03-25",
            vec![part("2026-03-27", 10_000, 0)],
            "2026-06-01",
            vec![("2026-03-26", "2026-03-27", 2, 10_000, 10, 20, Why::Daily)],
        ),
        (
            // 0.4 + 0.4 fen: the running total rounds to 0, then to 1. No line is rounded by itself.
            "halves are rounded once, over all lines",
            vec![daily(4), from("2026-03-27", daily(5))],
            1_000,
            "2026-03-25",
            vec![],
            "2026-03-27",
            vec![
                ("2026-03-26", "2026-03-26", 1, 1_000, 4, 0, Why::Daily),
                ("2026-03-27", "2026-03-27", 1, 1_000, 5, 1, Why::Daily),
            ],
        ),
    ];
    for (name, rules, amount, due, paid, today, expected) in rows {
        let lines = assess(&rules, amount, date(due), &paid, date(today));
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(a, b, days, base, bps, amount, why)| {
                (a.to_owned(), b.to_owned(), days, base, bps, amount, why)
            })
            .collect();
        assert_eq!(lines.iter().map(told).collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn a_line_names_its_rule_and_its_calendar() {
    let rules = [daily(10), from("2026-12-31", LateFee { calendar: Calendar::Workdays, ..daily(10) })];
    let lines = assess(&rules, 10_000, date("2026-12-29"), &[], date("2027-01-04"));
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line.version.map(|day| day.to_string()), line.notice.map(city::bill::fee::Notice::name)))
        .collect();
    let since = Some("2026-12-31".to_owned());
    assert_eq!(
        told,
        [
            (None, None),
            (since.clone(), Some("cn-2026".to_owned())),
            (since, Some("cn-2027-assumed".to_owned()))
        ]
    );
    // The rule of the due date says whether it moves: Sunday 15 February 2026 to the 24th.
    let workdays = LateFee { calendar: Calendar::Workdays, ..daily(10) };
    for (rules, expected) in [
        (vec![workdays], "2026-02-24"),
        (vec![daily(10), from("2026-02-16", workdays)], "2026-02-15"),
        (vec![from("2026-02-16", workdays)], "2026-02-15"),
    ] {
        assert_eq!(due_on(&rules, date("2026-02-15")), date(expected), "{rules:?}");
    }
}

/// The same by another way: each day's fee by itself from scratch, in ten-thousandths.
fn naive(rules: &[LateFee], amount: i64, due: Date, paid: &[Portion], today: Date) -> i64 {
    let rule_on = |day: Date| {
        let begun = rules.iter().filter(|r| r.from.unwrap_or(Date::MIN) <= day);
        begun.max_by_key(|r| r.from.unwrap_or(Date::MIN))
    };
    let counts = |day: Date| rule_on(day).is_some_and(|r| r.calendar.counts(day));
    let mut start = due;
    if let Some(rule) = rule_on(due) {
        while !rule.calendar.counts(start) {
            start = start.tomorrow().expect("a day");
        }
    }
    let days = std::iter::successors(start.tomorrow().ok(), |day| day.tomorrow().ok());
    let counted: Vec<Date> = days.take_while(|day| *day <= today).filter(|day| counts(*day)).collect();
    let (mut sum, mut once) = (0i128, false);
    for (late, day) in counted.iter().enumerate() {
        let rule = rule_on(*day).expect("one in force");
        let open: i64 = amount - paid.iter().filter(|p| p.day < *day).map(|p| p.principal_minor).sum::<i64>();
        let fee = match rule.bps_per_day {
            _ if open <= 0 || late < rule.grace_days as usize => 0,
            Some(bps) => i128::from(open) * i128::from(bps),
            None if once => 0,
            None => {
                once = true;
                i128::from(rule.fixed_minor.expect("an amount")) * 10_000
            }
        };
        let cap = rule.cap_bps.map_or(i128::MAX, |bps| i128::from(amount) * i128::from(bps));
        sum = sum.max((sum + fee).min(cap));
    }
    let fee = i64::try_from(sum / 10_000 + i128::from(sum % 10_000 >= 5_000)).expect("a fee");
    let fee_paid: i64 = paid.iter().map(|p| p.fee_minor).sum();
    (fee - fee_paid).max(0)
}

fn a_rule() -> impl Strategy<Value = LateFee> {
    let price = prop_oneof![
        3 => (1u32..400).prop_map(|bps| (Some(bps), None)),
        1 => (1i64..5_000).prop_map(|minor| (None, Some(minor))),
    ];
    (price, 0u32..12, proptest::option::of(1u32..4_000), proptest::bool::ANY).prop_map(
        |((bps_per_day, fixed_minor), grace_days, cap_bps, workdays)| LateFee {
            bps_per_day,
            fixed_minor,
            grace_days,
            cap_bps,
            calendar: if workdays { Calendar::Workdays } else { Calendar::Natural },
            ..daily(1)
        },
    )
}

fn after(day: Date, days: i32) -> Date {
    (0..days).fold(day, |day, _| day.tomorrow().expect("a day"))
}

proptest! {
    #[test]
    fn lines_sum_to_a_fee_that_is_counted_day_by_day_and_never_falls(
        rules in proptest::collection::vec((a_rule(), 1i32..60), 1..4),
        since_ever in proptest::bool::ANY,
        amount in 1i64..5_000_000,
        due in 0i32..400,
        parts in proptest::collection::vec((0i32..60, 1i64..100), 0..4),
        span in 0i32..150,
    ) {
        let first = date("2025-12-01");
        let due = after(first, due);
        let mut begins = after(first, 120);
        let rules: Vec<LateFee> = rules.into_iter().enumerate().map(|(at, (rule, days))| {
            begins = after(begins, days);
            LateFee { from: (at > 0 || !since_ever).then_some(begins), ..rule }
        }).collect();
        // Parts in order, each a share of what is open, with the fee that is open then.
        let (mut day, mut open, mut paid) = (due, amount, Vec::new());
        for (days, share) in parts {
            day = after(day, days);
            let principal_minor = open * share / 100;
            let fee_minor = total(&assess(&rules, amount, due, &paid, day)) * (share % 3) / 2;
            let fee_minor = fee_minor.min(total(&assess(&rules, amount, due, &paid, day)));
            open -= principal_minor;
            paid.push(Portion { day, principal_minor, fee_minor });
        }
        let mut last = None;
        for ahead in 0..span {
            let today = after(day, ahead);
            let lines = assess(&rules, amount, due, &paid, today);
            let fee = total(&lines);
            prop_assert_eq!(fee, naive(&rules, amount, due, &paid, today));
            prop_assert!(fee >= last.unwrap_or(0));
            prop_assert!(lines.iter().all(|l| l.amount_minor >= 0 || l.why == Why::Paid));
            prop_assert!(lines.iter().all(|l| l.from <= l.to && l.to <= today));
            last = Some(fee);
        }
    }
}

#[test]
fn a_pack_has_versions_in_order() {
    let text = shipped("330100/hz-power").text;
    let at = text.find("[late_fee]").expect("a late fee");
    let end = at + text[at..].find("\n\n").expect("its end");
    let with = |fee: &str| Pack::parse(&format!("{}{fee}{}", &text[..at], &text[end..]));
    let two = "[[late_fee]]\nbps_per_day = 10\n[[late_fee]]\nfrom = \"2026-07-01\"\nbps_per_day = 5\norder = \"fee_first\"";
    let pack = with(two).expect("a pack");
    let versions: Vec<_> = pack.spec.late_fee.iter().map(|v| (v.from, v.bps_per_day, v.order)).collect();
    assert_eq!(
        versions,
        [(None, Some(10), FeeOrder::PrincipalFirst), (Some(date("2026-07-01")), Some(5), FeeOrder::FeeFirst)]
    );
    assert_eq!(with("").expect("no late fee is fine").spec.late_fee, []);
    for (fee, code, key) in [
        (two.replace("from = \"2026-07-01\"\n", ""), "pack_invalid", "late_fee"),
        (format!("{two}\n[[late_fee]]\nfrom = \"2026-07-01\"\nbps_per_day = 4"), "pack_invalid", "late_fee"),
        (two.replace("2026-07-01", "2026-13-01"), "pack_malformed", "written 2026-07-01"),
        (two.replace("\"2026-07-01\"", "7"), "pack_malformed", "string"),
        (two.replace("bps_per_day = 5", "bps_per_day = 0"), "pack_invalid", "late_fee[1].bps_per_day"),
        (two.replace("bps_per_day = 5", "bps = 5"), "pack_malformed", "bps"),
        ("late_fee = 3".to_owned(), "pack_malformed", "a late fee or a list"),
    ] {
        // A key of its own stands before the tables.
        let found: PackError = match fee.as_str() {
            "late_fee = 3" => Pack::parse(&format!("{fee}\n{}{}", &text[..at], &text[end..])).unwrap_err(),
            fee => with(fee).unwrap_err(),
        };
        assert_eq!(found.code(), code, "{fee}: {found}");
        assert!(found.to_string().contains(key), "{fee}: {found}");
    }
}
