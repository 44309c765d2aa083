//! The cases of a way to a biller that is asked: everything that may go wrong with a question, and what must become of the
//! money then.

use std::time::Duration;

use channel::{Debt, Meaning, Reply};
use city::Refusal;
use city::bill::pack::Source;
use city::bill::{self, PayBill, PayState, Standing};
use kernel::{Clock as _, Date, Timestamp};

use super::play::{Side, Wrong};
use super::stage::{Done, Ended, Stage, ensure, skip};
use super::{files, naive};

/// What the payer is told at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Settled,
    Held,
    Refused,
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Settled,
    /// The money is the payer's again, and the bill can be paid.
    Back,
}

macro_rules! case {
    ($stage:ident, $side:ident, $name:expr, $done:expr) => {{
        $stage.begin(&[&*$side]).await;
        let done = $done.await;
        $stage.end($name, done, &[&*$side]).await;
    }};
}

/// Every case of a way.
pub async fn run(stage: &mut Stage, side: &mut Side, patience: Duration) {
    stage.channel = Some(side.channel.name.clone());
    if stage.pack.spec.bills.source == Source::Live && !side.queries() {
        stage.begin(&[]).await;
        stage
            .end("happy_path", skip("it cannot be asked what is owed: it is tried as another way"), &[])
            .await;
        return;
    }
    case!(stage, side, "probe", probe(stage, side, patience));
    case!(stage, side, "happy_path", happy(stage, side));
    case!(stage, side, "repeated_request", repeated(stage, side));
    case!(stage, side, "two_at_once", at_once(stage, side));
    use End::{Back, Settled};
    for (name, wrong, first, end) in [
        ("slow", Wrong::Slow, First::Held, Settled),
        ("silent_after_debit", Wrong::SilentAfter, First::Held, Settled),
        ("silent_before_debit", Wrong::SilentBefore, First::Held, Back),
        ("hangs_up", Wrong::HangsUp, First::Held, Settled),
        ("malformed_answer", Wrong::Garbled, First::Held, Settled),
        ("duplicate_answer", Wrong::Again, First::Settled, Settled),
    ] {
        case!(stage, side, name, wrong_pay(stage, side, wrong, first, end));
    }
    case!(stage, side, "unheard_of_code", strange(stage, side));
    case!(stage, side, "reversal_unanswered", reversal(stage, side));
    case!(stage, side, "wrong_amount", wrong_amount(stage, side));
    case!(stage, side, "amount_rule", amount_rule(stage, side));
    case!(stage, side, "wrong_account", wrong_account(stage, side));
    case!(stage, side, "account_rule", files::account_rule(stage));
    case!(stage, side, "quote_expired", expired(stage, side));
    case!(stage, side, "clock_skew", skew(stage, side));
    case!(stage, side, "wrong_signature", signature(stage, side));
    case!(stage, side, "late_fee", late_fee(stage, side));
    for (nth, (code, meaning)) in side.codes("pay").into_iter().enumerate() {
        let name = format!("pay_code {code} {}", name_of(meaning));
        let (first, end) = match meaning {
            Meaning::Ok | Meaning::Duplicate => (First::Settled, Settled),
            Meaning::Pending | Meaning::Unknown => (First::Held, Back),
            _ => (First::Refused, Back),
        };
        case!(stage, side, &name, wrong_pay(stage, side, Wrong::Code(nth), first, end));
    }
    for (nth, (code, meaning)) in side.codes("inquire").into_iter().enumerate() {
        let name = format!("inquire_code {code} {}", name_of(meaning));
        case!(stage, side, &name, inquiry(stage, side, nth, meaning));
    }
    for (nth, (code, meaning)) in side.codes("reverse").into_iter().enumerate() {
        let name = format!("reverse_code {code} {}", name_of(meaning));
        case!(stage, side, &name, reversal_code(stage, side, nth, meaning));
    }
    if stage.pack.spec.bills.source == Source::Live {
        for (nth, (code, meaning)) in side.codes("query").into_iter().enumerate() {
            let name = format!("query_code {code} {}", name_of(meaning));
            case!(stage, side, &name, query_code(stage, side, nth, meaning));
        }
    }
    case!(stage, side, "out_of_hours", hours(stage, side));
    case!(stage, side, "refund", refund(stage, side, patience));
    // Last: nobody comes back after this.
    stage.begin(&[]).await;
    let done = refused(stage, side).await;
    stage.end("connection_refused", done, &[]).await;
}

/// A pack's ways together: what cannot be sent one way goes another, once.
pub async fn run_all(stage: &mut Stage, sides: &mut [Side]) {
    stage.channel = None;
    stage.begin(&sides.iter().collect::<Vec<_>>()).await;
    let done = other_way(stage, sides).await;
    stage.end("other_way", done, &[]).await;
}

fn name_of(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Ok => "ok",
        Meaning::Duplicate => "duplicate",
        Meaning::Pending => "pending",
        Meaning::Unknown => "unknown",
        Meaning::AccountUnknown => "account_unknown",
        Meaning::NothingDue => "nothing_due",
        Meaning::AmountDiffers => "amount_differs",
        Meaning::AlreadyPaid => "already_paid",
        Meaning::Closed => "closed",
        Meaning::Busy => "busy",
        Meaning::Refused => "refused",
    }
}

/// Goes on until everybody is there, and stays for a minute.
fn come_in(stage: &Stage, sides: &[&Side]) {
    let there = |at: Timestamp| sides.iter().all(|side| side.is_open(at));
    for _ in 0..2 * 1_440 {
        let now = stage.clock.now();
        if there(now) && there(now.plus(Duration::from_secs(90))) {
            return;
        }
        stage.pass(60);
    }
}

fn debt(stage: &Stage, n: u64, amount_minor: i64) -> Debt {
    let day = stage.today();
    let period = u32::try_from(day.year()).unwrap_or(2026) * 100 + u32::try_from(day.month()).unwrap_or(1);
    let due = Date::new(day.year() + 1, 1, 20).ok();
    Debt { bill_no: format!("C{n}"), amount_minor, due, period, holder: String::new() }
}

/// A new bill of an account, on all sides: the account and the bill's number.
async fn bill_at(stage: &mut Stage, sides: &[&Side], amount: i64) -> Result<(String, String), Ended> {
    come_in(stage, sides);
    let n = stage.fresh();
    let account = stage.account(n);
    let debt = debt(stage, n, amount);
    for side in sides {
        // A field of a bank's message may have no room for Chinese.
        let holder = if side.bank_mac().is_some() { "WANG XIAOMING" } else { "王小明" };
        side.owe(&account, vec![Debt { holder: holder.to_owned(), ..debt.clone() }]);
    }
    if stage.pack.spec.bills.source == File {
        files::hand_over(stage, &account, &debt).await?;
    }
    Ok((account, debt.bill_no))
}

use city::bill::pack::Source::File;

async fn wish_for(stage: &mut Stage, side: &Side, amount: i64) -> Result<(String, String, PayBill), Ended> {
    let (account, number) = bill_at(stage, &[side], amount).await?;
    let wish = stage.wish(&account, &number).await?;
    Ok((account, number, wish))
}

fn amount(stage: &mut Stage) -> i64 {
    let n = i64::try_from(stage.fresh()).unwrap_or(1);
    (1_000 + n * 137 % 8_000).min(files::amount_max(&stage.pack.spec))
}

async fn probe(stage: &mut Stage, side: &Side, patience: Duration) -> Done {
    come_in(stage, &[side]);
    let door = side.own_door(stage.clock.clone(), patience).map_err(|e| Ended::Failed(e.to_string()))?;
    let reply = door.probe().await;
    ensure(reply == Reply::Said(()), || format!("{reply:?}"))
}

async fn happy(stage: &mut Stage, side: &Side) -> Done {
    let amount = amount(stage);
    let (account, number, wish) = wish_for(stage, side, amount).await?;
    let paid = stage.pay(&wish).await?;
    ensure(paid.state == PayState::Settled, || "the institution's answer was no yes".to_owned())?;
    ensure(paid.settled.amount_minor == amount, || {
        format!("{} paid for {amount}", paid.settled.amount_minor)
    })?;
    let reference = paid.settled.payment.to_string();
    let there = side.taken().into_iter().find(|(payment, _)| payment.id == reference);
    let Some((payment, times)) = there else {
        return Err(Ended::Failed("the institution does not know the payment by its id".to_owned()));
    };
    ensure(times == 1, || format!("the institution took it {times} times"))?;
    let same = (payment.account_no == account, payment.bill_no == number || payment.bill_no.is_empty());
    ensure(same == (true, true), || format!("it arrived as {} {}", payment.account_no, payment.bill_no))?;
    stage.pass(2);
    let views = bill::fetch(&stage.city, stage.pack.biller, &account).await?;
    let open = views.iter().any(|v| v.bill.bill_no == number && !matches!(v.standing, Standing::Settled(_)));
    ensure(!open, || "the bill is still open".to_owned())
}

async fn repeated(stage: &mut Stage, side: &Side) -> Done {
    let amount = amount(stage);
    let (_, _, wish) = wish_for(stage, side, amount).await?;
    let first = stage.pay(&wish).await?;
    let again = stage.pay(&wish).await?;
    ensure(again.repeated && again.settled.payment == first.settled.payment, || {
        "the same request was another payment".to_owned()
    })
}

async fn at_once(stage: &mut Stage, side: &Side) -> Done {
    let amount = amount(stage);
    let (_, _, wish) = wish_for(stage, side, amount).await?;
    stage.pass(2);
    let other = PayBill { request_id: Some("other".to_owned()), ..wish.clone() };
    let (one, two) = tokio::join!(
        bill::pay(&stage.city, &stage.payers[0], wish),
        bill::pay(&stage.city, &stage.payers[1], other)
    );
    let (won, lost) = match (one, two) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
        (one, two) => return Err(Ended::Failed(format!("{one:?} and {two:?}"))),
    };
    stage.note(&won).await?;
    let fair = ["bill_claimed", "bill_already_settled", "biller_unreachable"];
    ensure(fair.contains(&lost.code()), || format!("the second was told {}", lost.code()))
}

/// A payment with which something goes wrong on the other side.
async fn wrong_pay(stage: &mut Stage, side: &Side, wrong: Wrong, first: First, end: End) -> Done {
    let amount = amount(stage);
    let (account, number, wish) = wish_for(stage, side, amount).await?;
    side.goes_wrong("pay", &account, wrong);
    ends(stage, side, &account, &number, wish, first, end).await
}

async fn ends(
    stage: &mut Stage,
    side: &Side,
    account: &str,
    number: &str,
    wish: PayBill,
    first: First,
    end: End,
) -> Done {
    let answer = stage.pay(&wish).await;
    let told = match &answer {
        Ok(paid) if paid.state == PayState::Settled => First::Settled,
        Ok(_) => First::Held,
        Err(why) if why.code() == "biller_refused" => First::Refused,
        Err(why) => return Err(Ended::Failed(format!("{}: {why}", why.code()))),
    };
    // A no that cannot be said is silence, and asked about.
    let fair = told == first || (first == First::Refused && told == First::Held);
    ensure(fair, || format!("the payer was told {told:?} and not {first:?}"))?;
    side.goes_well();
    if told == First::Held {
        let open = stage.drive().await?;
        ensure(open == 0, || "its outcome cannot be found out: the payment stays held".to_owned())?;
        come_in(stage, &[side]);
        let (settled, _) = standing(stage, &wish).await?;
        ensure(settled == (end == End::Settled), || {
            format!("it ended {}, not {end:?}", if settled { "settled" } else { "with the money back" })
        })?;
        if let (true, Ok(paid)) = (settled, &answer) {
            stage.note(paid).await?;
        }
    }
    if end == End::Back {
        let again = stage.wish(account, number).await?;
        let paid = stage.pay(&again).await?;
        ensure(paid.state == PayState::Settled, || "afterwards it could not be paid".to_owned())?;
    }
    Ok(())
}

/// Whether the bill of a wish is settled, and whether it is open.
async fn standing(stage: &Stage, wish: &PayBill) -> Result<(bool, bool), Ended> {
    let found = bill::standing(&stage.city, &[wish.bill]).await?;
    let one = found.into_iter().next().unwrap_or(Standing::Open);
    Ok((matches!(one, Standing::Settled(_)), one == Standing::Open))
}

async fn strange(stage: &mut Stage, side: &Side) -> Done {
    if side.codes("pay").is_empty() {
        return skip("answers have no result code");
    }
    wrong_pay(stage, side, Wrong::Strange, First::Held, End::Back).await
}

/// Nothing was taken, and the first reversal is not answered: the money stays held until one is.
async fn reversal(stage: &mut Stage, side: &Side) -> Done {
    let amount = amount(stage);
    let (account, number, wish) = wish_for(stage, side, amount).await?;
    let instant = !side.codes("pay").is_empty();
    side.goes_wrong("pay", &account, if instant { Wrong::Strange } else { Wrong::SilentBefore });
    let held = stage.pay(&wish).await?;
    ensure(held.state == PayState::Pending, || "silence was taken for a yes".to_owned())?;
    side.goes_wrong("reverse", &account, Wrong::SilentAfter);
    let open = bill::settle_pending(&stage.city).await?;
    ensure(open == 1, || "money was freed before the institution had said so".to_owned())?;
    side.goes_well();
    finish(stage, side, &account, &number).await
}

async fn finish(stage: &mut Stage, side: &Side, account: &str, number: &str) -> Done {
    let open = stage.drive().await?;
    ensure(open == 0, || "its outcome cannot be found out: the payment stays held".to_owned())?;
    come_in(stage, &[side]);
    let again = stage.wish(account, number).await?;
    let paid = stage.pay(&again).await?;
    ensure(paid.state == PayState::Settled, || "afterwards it could not be paid".to_owned())
}

async fn inquiry(stage: &mut Stage, side: &Side, nth: usize, meaning: Meaning) -> Done {
    let amount = amount(stage);
    let (account, number, wish) = wish_for(stage, side, amount).await?;
    // What means yes must be said of a payment that was taken; what means no, of one that was not.
    let yes = matches!(meaning, Meaning::Ok | Meaning::Duplicate);
    side.goes_wrong("pay", &account, if yes { Wrong::HangsUp } else { Wrong::Strange });
    let held = stage.pay(&wish).await?;
    ensure(held.state == PayState::Pending, || "silence was taken for a yes".to_owned())?;
    tokio::time::sleep(Duration::from_millis(if side.bank_mac().is_some() && yes { 250 } else { 0 })).await;
    side.goes_wrong("inquire", &account, Wrong::Code(nth));
    stage.pass(130);
    come_in(stage, &[side]);
    let open = bill::settle_pending(&stage.city).await?;
    let later = matches!(meaning, Meaning::Pending | Meaning::Busy | Meaning::Closed);
    ensure((open == 1) == later, || format!("after the answer {open} payments were open"))?;
    side.goes_well();
    if yes {
        let (settled, _) = standing(stage, &wish).await?;
        ensure(settled, || "it was not settled".to_owned())?;
        return Ok(stage.note(&held).await?);
    }
    finish(stage, side, &account, &number).await
}

async fn reversal_code(stage: &mut Stage, side: &Side, nth: usize, meaning: Meaning) -> Done {
    let amount = amount(stage);
    let (account, number, wish) = wish_for(stage, side, amount).await?;
    side.goes_wrong("pay", &account, Wrong::Strange);
    let held = stage.pay(&wish).await?;
    ensure(held.state == PayState::Pending, || "silence was taken for a yes".to_owned())?;
    side.goes_wrong("reverse", &account, Wrong::Code(nth));
    stage.pass(130);
    come_in(stage, &[side]);
    let open = bill::settle_pending(&stage.city).await?;
    let yes = matches!(meaning, Meaning::Ok | Meaning::Duplicate);
    ensure((open == 0) == yes, || format!("after the answer {open} payments were open"))?;
    side.goes_well();
    finish(stage, side, &account, &number).await
}

async fn query_code(stage: &mut Stage, side: &Side, nth: usize, meaning: Meaning) -> Done {
    let amount = amount(stage);
    let (account, number) = bill_at(stage, &[side], amount).await?;
    side.goes_wrong("query", &account, Wrong::Code(nth));
    stage.pass(130);
    come_in(stage, &[side]);
    let found = bill::fetch(&stage.city, stage.pack.biller, &account).await;
    let open = |views: &[bill::BillView]| views.iter().filter(|v| v.standing == Standing::Open).count();
    let told = match &found {
        Ok(views) => format!("{} open bills", open(views)),
        Err(why) => why.code().to_owned(),
    };
    let wanted = match meaning {
        Meaning::Ok => "1 open bills",
        Meaning::NothingDue => "0 open bills",
        Meaning::AccountUnknown => "account_unknown",
        _ => "biller_unreachable",
    };
    ensure(told == wanted, || format!("a resident was told {told}, not {wanted}"))?;
    side.goes_well();
    stage.pass(130);
    come_in(stage, &[side]);
    let wish = stage.wish(&account, &number).await?;
    let paid = stage.pay(&wish).await?;
    ensure(paid.state == PayState::Settled, || "afterwards it could not be paid".to_owned())
}

async fn wrong_amount(stage: &mut Stage, side: &Side) -> Done {
    let amount = amount(stage);
    let (account, number, wish) = wish_for(stage, side, amount).await?;
    // Between the price and the payment the institution changes its mind.
    let n: u64 = number[1..].parse().unwrap_or(0);
    side.owe(&account, vec![debt(stage, n, amount + 1)]);
    let answer = stage.pay(&wish).await;
    let refused = matches!(&answer, Err(why) if why.code() == "biller_refused");
    let held = matches!(&answer, Ok(paid) if paid.state == PayState::Pending);
    ensure(refused || held, || format!("{answer:?}"))?;
    if held {
        let open = stage.drive().await?;
        ensure(open == 0, || "its outcome cannot be found out: the payment stays held".to_owned())?;
    }
    side.owe(&account, vec![debt(stage, n, amount)]);
    come_in(stage, &[side]);
    let again = stage.wish(&account, &number).await?;
    let paid = stage.pay(&again).await?;
    ensure(paid.state == PayState::Settled, || "afterwards it could not be paid".to_owned())
}

async fn amount_rule(stage: &mut Stage, side: &Side) -> Done {
    let amount = amount(stage);
    let (_, _, wish) = wish_for(stage, side, amount).await?;
    let refused = files::refused_amounts(&stage.pack.spec, amount);
    for wrong in refused {
        let wish = PayBill { amount_minor: Some(wrong), ..wish.clone() };
        let answer = stage.pay(&wish).await;
        let told = answer.as_ref().err().map(Refusal::code);
        ensure(told == Some("amount_unacceptable"), || format!("{wrong} for {amount}: {answer:?}"))?;
    }
    let paid = stage.pay(&wish).await?;
    ensure(paid.state == PayState::Settled, || "what is due could not be paid".to_owned())
}

async fn wrong_account(stage: &mut Stage, side: &Side) -> Done {
    come_in(stage, &[side]);
    stage.pass(2);
    let rng = kernel::SeededRng::new(77);
    let shaped = (0..4_000).map(|_| super::accounts::shaped(&stage.pack.spec.account, &rng));
    let rule = stage.pack.clone();
    let stranger = shaped
        .into_iter()
        .find(|number| naive::is_account(&rule.spec.account, number) && !stage.accounts.contains(number));
    let Some(stranger) = stranger else { return skip("every number of this shape is known") };
    let answer = bill::fetch(&stage.city, stage.pack.biller, &stranger).await;
    let told = match &answer {
        Ok(views) => {
            if views.is_empty() {
                "no bills"
            } else {
                "bills"
            }
        }
        Err(why) => why.code(),
    };
    // An institution that cannot say it says no, and nobody is shown a bill.
    let fair = ["account_unknown", "no bills", "biller_unreachable"].contains(&told);
    ensure(fair, || format!("of an account that nobody has, a resident was told {told}"))
}

async fn expired(stage: &mut Stage, side: &Side) -> Done {
    let amount = amount(stage);
    let (account, number, wish) = wish_for(stage, side, amount).await?;
    stage.pass(u64::from(stage.pack.spec.bills.quote_valid_s) + 1);
    let answer = stage.pay(&wish).await;
    let told = answer.as_ref().err().map(Refusal::code);
    ensure(told == Some("quote_expired"), || format!("{answer:?}"))?;
    come_in(stage, &[side]);
    let wish = stage.wish(&account, &number).await?;
    stage.pay(&wish).await?;
    Ok(())
}

async fn skew(stage: &mut Stage, side: &Side) -> Done {
    if let Some(_mac) = side.bank_mac() {
        // A bank whose clock is wrong has answered all the same.
        return wrong_pay(stage, side, Wrong::Skew, First::Settled, End::Settled).await;
    }
    let Some(most) = side.skew() else { return skip("nobody compares clocks") };
    for ahead in [i64::from(most) - 1, 1 - i64::from(most)] {
        let amount = amount(stage);
        let (_, _, wish) = wish_for(stage, side, amount).await?;
        side.clock_is_ahead(ahead);
        let paid = stage.pay(&wish).await?;
        ensure(paid.state == PayState::Settled, || format!("refused with clocks {ahead} seconds apart"))?;
        side.goes_well();
    }
    for ahead in [i64::from(most) + 2, -i64::from(most) - 2] {
        let amount = amount(stage);
        let (account, number, wish) = wish_for(stage, side, amount).await?;
        side.clock_is_ahead(ahead);
        ends(stage, side, &account, &number, wish, First::Refused, End::Back).await?;
    }
    Ok(())
}

async fn signature(stage: &mut Stage, side: &Side) -> Done {
    if let Some(mac) = side.bank_mac() {
        if !mac {
            return skip("messages have no code");
        }
        return wrong_pay(stage, side, Wrong::Mac, First::Held, End::Settled).await;
    }
    let amount = amount(stage);
    let (account, number, wish) = wish_for(stage, side, amount).await?;
    if !side.forgets_key() {
        let paid = stage.pay(&wish).await?;
        ensure(paid.state == PayState::Settled, || "it could not be paid".to_owned())?;
        return skip("requests are not signed");
    }
    ends(stage, side, &account, &number, wish, First::Held, End::Back).await
}

/// What a bill costs that is late, worked out a second time.
async fn late_fee(stage: &mut Stage, side: &Side) -> Done {
    if stage.pack.spec.bills.source != Source::Live {
        return skip("bills come by file: see there");
    }
    if stage.pack.spec.late_fee.is_empty() {
        return skip("lateness costs nothing");
    }
    for days in [0, 1, 2, 5, 9, 17, 40, 200] {
        come_in(stage, &[side]);
        let n = stage.fresh();
        let (account, amount) = (stage.account(n), amount(stage));
        let mut due = stage.today();
        for _ in 0..days {
            due = due.yesterday().unwrap_or(due);
        }
        side.owe(&account, vec![Debt { due: Some(due), ..debt(stage, n, amount) }]);
        stage.pass(2);
        let views = bill::fetch(&stage.city, stage.pack.biller, &account).await?;
        let view = views.iter().find(|view| view.bill.bill_no == format!("C{n}"));
        let view = view.ok_or_else(|| Ended::Failed("the bill is not shown".to_owned()))?;
        let wanted = naive::late_fee(&stage.pack.spec.late_fee, amount, view.bill.due, stage.today());
        ensure(view.quote.late_fee_minor == wanted, || {
            format!("{amount} fen due on {}: {} and not {wanted}", view.bill.due, view.quote.late_fee_minor)
        })?;
        side.owe(&account, Vec::new());
    }
    Ok(())
}

async fn hours(stage: &mut Stage, side: &Side) -> Done {
    let now = stage.clock.now();
    let minute = |n: i64| Timestamp::from_secs(now.as_secs() + n * 60);
    let closes = (0..2 * 1_440).find(|n| side.is_open(minute(*n)) && !side.is_open(minute(n + 1)));
    let Some(closes) = closes else { return skip("somebody is always there") };
    let amount = amount(stage);
    let n = stage.fresh();
    let account = stage.account(n);
    let one = debt(stage, n, amount);
    side.owe(&account, vec![one.clone()]);
    if stage.pack.spec.bills.source == File {
        files::hand_over(stage, &account, &one).await?;
    }
    // In the last minute but for some seconds, and then just after it: the price still stands.
    let end = (now.as_secs() + (closes + 1) * 60).div_euclid(60) * 60;
    stage.clock.set(Timestamp::from_secs(end - 20));
    let wish = stage.wish(&account, &one.bill_no).await?;
    stage.clock.set(Timestamp::from_secs(end + 5));
    let answer = stage.pay(&wish).await;
    let told = answer.as_ref().err().map(Refusal::code);
    ensure(matches!(told, Some("biller_unreachable" | "biller_refused")), || format!("{answer:?}"))?;
    come_in(stage, &[side]);
    let wish = stage.wish(&account, &one.bill_no).await?;
    let paid = stage.pay(&wish).await?;
    ensure(paid.state == PayState::Settled, || "afterwards it could not be paid".to_owned())
}

async fn refund(stage: &mut Stage, side: &Side, patience: Duration) -> Done {
    if !side.refunds() {
        return skip("no refund is described");
    }
    let amount = amount(stage);
    let (_, _, wish) = wish_for(stage, side, amount).await?;
    let paid = stage.pay(&wish).await?;
    let reference = paid.settled.payment.to_string();
    let taken = side.taken().into_iter().find(|(payment, _)| payment.id == reference);
    let Some((payment, _)) = taken else { return Err(Ended::Failed("it was not taken".to_owned())) };
    let door = side.own_door(stage.clock.clone(), patience).map_err(|e| Ended::Failed(e.to_string()))?;
    let (half, own) = (amount / 2, reference.replace("pay_", "rfd_"));
    let yes =
        |reply: &Reply| matches!(reply, Reply::Said(()) | Reply::Meant(Meaning::Ok | Meaning::Duplicate));
    for _ in 0..2 {
        stage.pass(2);
        let reply = door.refund(&payment, &own, half).await;
        ensure(yes(&reply), || format!("{reply:?}"))?;
        ensure(side.refunded(&reference) == half, || format!("{} given back", side.refunded(&reference)))?;
    }
    stage.pass(2);
    let more = own.replacen("rfd_0", "rfd_1", 1);
    let reply = door.refund(&payment, &more, amount).await;
    ensure(!yes(&reply), || "more was given back than was paid".to_owned())?;
    ensure(side.refunded(&reference) == half, || format!("{} given back", side.refunded(&reference)))
}

async fn refused(stage: &mut Stage, side: &mut Side) -> Done {
    let amount = amount(stage);
    let (_, _, wish) = wish_for(stage, side, amount).await?;
    if !side.leaves().await {
        return skip("others are carried by the same line");
    }
    let answer = stage.pay(&wish).await;
    let told = answer.as_ref().err().map(Refusal::code);
    ensure(told == Some("biller_unreachable"), || format!("{answer:?}"))?;
    let (_, open) = standing(stage, &wish).await?;
    ensure(open, || "the bill is not open".to_owned())
}

async fn other_way(stage: &mut Stage, sides: &mut [Side]) -> Done {
    let amount = amount(stage);
    let all: Vec<&Side> = sides.iter().collect();
    let (account, number) = bill_at(stage, &all, amount).await?;
    let wish = stage.wish(&account, &number).await?;
    let paid = stage.pay(&wish).await?;
    let reference = paid.settled.payment.to_string();
    let has = |side: &Side| side.taken().iter().any(|(payment, _)| payment.id == reference);
    let Some(first) = sides.iter().position(has) else {
        return Err(Ended::Failed("it went no way".to_owned()));
    };
    ensure(sides.iter().filter(|side| has(side)).count() == 1, || "it went more than one way".to_owned())?;
    let all: Vec<&Side> = sides.iter().collect();
    let (account, number) = bill_at(stage, &all, amount).await?;
    let wish = stage.wish(&account, &number).await?;
    if !sides[first].leaves().await {
        return skip("others are carried by the same line");
    }
    let paid = stage.pay(&wish).await?;
    ensure(paid.state == PayState::Settled, || "it did not go another way".to_owned())?;
    let reference = paid.settled.payment.to_string();
    let ways = sides.iter().flat_map(Side::taken).filter(|(payment, _)| payment.id == reference).count();
    ensure(ways == 1, || format!("it went {ways} ways"))
}
