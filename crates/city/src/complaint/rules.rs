//! Pure rules of complaints: what the evidence comes to, until when somebody has to answer, what may follow on what.

use kernel::{Date, Timestamp, UtcOffset};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bill::calendar::{Calendar, tomorrow};
use crate::bill::dispute::{BillStanding, Evidence, SaysOfPayment};
use crate::bill::reconcile::rules::{BreakCode, Source};

/// Names on the wire and in tables, both ways.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident $text:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        pub enum $name { $($(#[$of])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// The name in tables and on the wire.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// StepKind has that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

named! {
    /// StepKind somebody complains of.
    ComplaintKind {
        /// It is paid, and the biller says that it is due.
        PaidButDue "paid_but_due"
        /// It was paid twice.
        PaidTwice "paid_twice"
        /// It was paid for an account that was not meant.
        WrongAccount "wrong_account"
        /// It was paid with an amount that is not right.
        WrongAmount "wrong_amount"
    }
}

named! {
    /// Whose turn it is, or how it ended.
    ComplaintState {
        /// The biller's, to answer.
        Biller "biller"
        /// An operator's, to decide.
        Operator "operator"
        /// That of an operator of role admin: the one before let it lapse, or the complaint was reopened.
        Supervisor "supervisor"
        /// A second operator's: a refund above the four-eyes limit was decided.
        Second "second"
        /// A refund is decided and being made.
        Refunding "refunding"
        /// Ended: money was given back.
        Refunded "refunded"
        /// Ended: the biller has put its books right, no money moved.
        Corrected "corrected"
        /// Ended: there was nothing to put right.
        Dismissed "dismissed"
    }
}

named! {
    /// StepKind happened at a step.
    StepKind {
        /// The resident complained.
        Raised "raised"
        /// The biller says that the resident is right.
        BillerAccepted "biller_accepted"
        /// The biller says that the resident is not.
        BillerRejected "biller_rejected"
        /// Nobody answered in time.
        Escalated "escalated"
        /// An operator wants to refund; a second must agree.
        RefundProposed "refund_proposed"
        /// The second operator does not agree.
        RefundDeclined "refund_declined"
        /// A refund was decided.
        RefundDecided "refund_decided"
        /// The biller was asked and does not give it back.
        BillerRefused "biller_refused"
        /// Less is left of the payment by now than was decided.
        RefundImpossible "refund_impossible"
        /// The money is the payer's.
        Refunded "refunded"
        /// It ended without money: the biller put its books right.
        Corrected "corrected"
        /// It ended: nothing was to be put right.
        Dismissed "dismissed"
        /// The resident does not agree with how it ended.
        Reopened "reopened"
    }
}

named! {
    /// Who took a step.
    StepActor {
        /// Who complained.
        Resident "resident"
        /// The biller.
        Biller "biller"
        /// An operator.
        Operator "operator"
        /// Time ran out.
        Clock "clock"
        /// The books.
        Ledger "ledger"
    }
}

named! {
    /// StepKind the evidence comes to, before anybody has looked.
    Finding {
        /// Nothing was paid here by this resident.
        NotPaidHere "not_paid_here"
        /// A payment is under way.
        PaymentPending "payment_pending"
        /// The biller has the payment, and lists the bill all the same.
        ConfirmedButListed "biller_confirmed_but_still_listed"
        /// The biller has no such payment.
        NotTaken "biller_has_not_taken_it"
        /// The payment is missing in the file that the biller returned.
        MissingAtBiller "missing_at_biller"
        /// The biller has the payment and lists the bill no more.
        BillerHasIt "biller_has_it"
        /// The payment is the biller's; it was not asked.
        PaidHere "paid_here"
        /// Another payment of the account is for the same month and amount.
        TwoPayments "two_payments_same_bill"
        /// No other payment looks like it.
        NoSecondPayment "no_second_payment"
        /// The payer never paid for this account before, and pays this biller for another.
        OtherAccountIsUsual "other_account_is_usual"
        /// Nothing says that another account was meant.
        AccountPlausible "account_plausible"
        /// StepKind was paid is not what the bill and its late fee come to, or not what the biller has.
        AmountDiffers "amount_differs_from_bill"
        /// StepKind was paid is what was billed.
        AmountAsBilled "amount_as_billed"
    }
}

named! {
    /// How it should end, by the evidence alone.
    Proposal {
        /// Money goes back.
        Refund "refund"
        /// The biller puts its books right.
        Correct "correct"
        /// Nothing is to be put right.
        Dismiss "dismiss"
        /// The evidence does not say.
        Look "look"
    }
}

impl ComplaintState {
    /// Whether it has ended.
    pub fn is_end(self) -> bool {
        matches!(self, ComplaintState::Refunded | ComplaintState::Corrected | ComplaintState::Dismissed)
    }

    /// Workdays in which whoever's turn it is should be done; none where it has ended.
    pub fn days(self) -> Option<u32> {
        match self {
            ComplaintState::Biller => Some(5),
            ComplaintState::Operator | ComplaintState::Refunding => Some(3),
            ComplaintState::Supervisor | ComplaintState::Second => Some(2),
            ComplaintState::Refunded | ComplaintState::Corrected | ComplaintState::Dismissed => None,
        }
    }

    /// Who gets it when the time is over.
    pub fn lapses_to(self) -> Option<ComplaintState> {
        match self {
            ComplaintState::Biller => Some(ComplaintState::Operator),
            ComplaintState::Operator => Some(ComplaintState::Supervisor),
            _ => None,
        }
    }
}

/// When the time of a state is over that begins now: at the end of its last workday.
pub fn due_at(state: ComplaintState, now: Timestamp, offset: UtcOffset) -> Option<Timestamp> {
    let last: Date = Calendar::Workdays.add(now.date(offset), state.days()?);
    Some(Timestamp::start_of(tomorrow(last), offset))
}

/// StepKind the evidence comes to, and how it should end; with a refund, how much.
pub fn find(kind: ComplaintKind, e: &Evidence) -> (Finding, Proposal, Option<i64>) {
    let Some(payment) = &e.payment else {
        return match e.bill.state {
            BillStanding::Claimed => (Finding::PaymentPending, Proposal::Look, None),
            BillStanding::Open | BillStanding::Settled => (Finding::NotPaidHere, Proposal::Dismiss, None),
        };
    };
    let left = Some(payment.left_minor).filter(|left| *left > 0);
    let back = |finding, minor: Option<i64>| match minor {
        Some(_) => (finding, Proposal::Refund, minor),
        None => (finding, Proposal::Dismiss, None),
    };
    let breaks = |source: Source, code: BreakCode| {
        e.settlement.iter().flat_map(|s| &s.breaks).find(move |b| b.source == source && b.code == code)
    };
    let says = e.biller.as_ref().and_then(|says| says.payment);
    let listed = e.biller.as_ref().and_then(|says| says.listed);
    match kind {
        ComplaintKind::PaidButDue if says == Some(SaysOfPayment::NotTaken) => back(Finding::NotTaken, left),
        ComplaintKind::PaidButDue if listed == Some(true) => {
            (Finding::ConfirmedButListed, Proposal::Correct, None)
        }
        ComplaintKind::PaidButDue if breaks(Source::Biller, BreakCode::MissingThere).is_some() => {
            (Finding::MissingAtBiller, Proposal::Correct, None)
        }
        ComplaintKind::PaidButDue if listed == Some(false) => (Finding::BillerHasIt, Proposal::Dismiss, None),
        ComplaintKind::PaidButDue => (Finding::PaidHere, Proposal::Correct, None),
        ComplaintKind::PaidTwice => {
            let twin = |o: &&crate::bill::dispute::OtherPayment| {
                o.same_account
                    && o.amount_minor == payment.amount_minor
                    && o.period == e.bill.period
                    && o.period > 0
            };
            match e.others.iter().find(twin) {
                Some(_) => back(Finding::TwoPayments, left),
                None => (Finding::NoSecondPayment, Proposal::Dismiss, None),
            }
        }
        ComplaintKind::WrongAccount => {
            let of_payer =
                |same_account: bool| e.others.iter().any(|o| o.same_payer && o.same_account == same_account);
            if of_payer(false) && !of_payer(true) {
                back(Finding::OtherAccountIsUsual, left)
            } else {
                (Finding::AccountPlausible, Proposal::Look, None)
            }
        }
        ComplaintKind::WrongAmount => {
            let billed = e.bill.amount_minor.saturating_add(payment.late_fee_minor);
            let at_biller = breaks(Source::Biller, BreakCode::AmountDiffers).and_then(|b| b.theirs_minor);
            let right = at_biller.unwrap_or(billed);
            let over = payment.amount_minor.saturating_sub(payment.refunded_minor).saturating_sub(right);
            if over > 0 {
                (Finding::AmountDiffers, Proposal::Refund, left.map(|left| over.min(left)))
            } else if payment.amount_minor == right || payment.refunded_minor > 0 {
                (Finding::AmountAsBilled, Proposal::Dismiss, None)
            } else {
                (Finding::AmountDiffers, Proposal::Look, None)
            }
        }
    }
}

/// The longest text that people write.
pub const WORDS_MAX: usize = 500;

/// StepKind people write, without outer spaces: 4 to [`WORDS_MAX`] characters, none of them a control character but line ends.
pub fn words(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = (4..=WORDS_MAX).contains(&text.chars().count());
    (fits && !text.chars().any(|c| c.is_control() && c != '\n')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::dispute::{
        BillFacts, BillerSays, BreakFacts, OtherPayment, PaymentFacts, SettlementFacts,
    };
    use kernel::ids::{BillId, PaymentId};

    fn evidence() -> Evidence {
        let at = Timestamp::from_millis(1_000);
        Evidence {
            at,
            bill: BillFacts {
                id: BillId::from_u128(1),
                account_no: "A".into(),
                bill_no: "B1".into(),
                period: 202_602,
                amount_minor: 100,
                due: "2026-03-25".into(),
                state: BillStanding::Settled,
            },
            payment: Some(PaymentFacts {
                id: PaymentId::from_u128(2),
                amount_minor: 103,
                late_fee_minor: 3,
                claimed_at: at,
                settled_at: at,
                way: None,
                refunded_minor: 0,
                left_minor: 103,
            }),
            biller: None,
            others: Vec::new(),
            import: None,
            settlement: None,
        }
    }

    fn other(same_account: bool, amount_minor: i64, period: u32) -> OtherPayment {
        OtherPayment {
            payment: PaymentId::from_u128(3),
            account_no: "A".into(),
            bill_no: "B2".into(),
            period,
            amount_minor,
            at: Timestamp::from_millis(2_000),
            same_payer: true,
            same_account,
        }
    }

    fn says(payment: SaysOfPayment, listed: Option<bool>) -> BillerSays {
        BillerSays { payment: Some(payment), listed, listed_minor: None }
    }

    fn broken(code: BreakCode, theirs_minor: Option<i64>) -> SettlementFacts {
        let found = BreakFacts { source: Source::Biller, code, ours_minor: Some(103), theirs_minor };
        SettlementFacts { day: "2026-03-02".into(), matched: true, payout: None, breaks: vec![found] }
    }

    #[test]
    fn what_the_evidence_comes_to() {
        use {ComplaintKind as K, Finding as F, Proposal as P};
        let with = |change: &dyn Fn(&mut Evidence)| {
            let mut e = evidence();
            change(&mut e);
            e
        };
        let none = with(&|e| e.payment = None);
        let pending = with(&|e| {
            e.payment = None;
            e.bill.state = BillStanding::Claimed;
        });
        let not_taken = with(&|e| e.biller = Some(says(SaysOfPayment::NotTaken, Some(true))));
        let listed = with(&|e| e.biller = Some(says(SaysOfPayment::Taken, Some(true))));
        let gone = with(&|e| e.biller = Some(says(SaysOfPayment::Taken, Some(false))));
        let silent = with(&|e| e.biller = Some(says(SaysOfPayment::NoAnswer, None)));
        let missing = with(&|e| e.settlement = Some(broken(BreakCode::MissingThere, None)));
        let less = with(&|e| e.settlement = Some(broken(BreakCode::AmountDiffers, Some(90))));
        let more = with(&|e| e.settlement = Some(broken(BreakCode::AmountDiffers, Some(120))));
        let twin = with(&|e| e.others = vec![other(true, 103, 202_602)]);
        let given = with(&|e| {
            e.others = vec![other(true, 103, 202_602)];
            e.payment.as_mut().unwrap().left_minor = 0;
        });
        let elsewhere = with(&|e| e.others = vec![other(false, 103, 202_602)]);
        let both = with(&|e| e.others = vec![other(false, 103, 202_602), other(true, 50, 202_601)]);
        let over = with(&|e| e.bill.amount_minor = 80);
        for (kind, e, wanted) in [
            (K::PaidButDue, &none, (F::NotPaidHere, P::Dismiss, None)),
            (K::PaidButDue, &pending, (F::PaymentPending, P::Look, None)),
            (K::PaidButDue, &not_taken, (F::NotTaken, P::Refund, Some(103))),
            (K::PaidButDue, &listed, (F::ConfirmedButListed, P::Correct, None)),
            (K::PaidButDue, &gone, (F::BillerHasIt, P::Dismiss, None)),
            (K::PaidButDue, &silent, (F::PaidHere, P::Correct, None)),
            (K::PaidButDue, &missing, (F::MissingAtBiller, P::Correct, None)),
            (K::PaidButDue, &evidence(), (F::PaidHere, P::Correct, None)),
            (K::PaidTwice, &twin, (F::TwoPayments, P::Refund, Some(103))),
            (K::PaidTwice, &given, (F::TwoPayments, P::Dismiss, None)),
            (K::PaidTwice, &elsewhere, (F::NoSecondPayment, P::Dismiss, None)),
            (K::PaidTwice, &both, (F::NoSecondPayment, P::Dismiss, None)),
            (K::WrongAccount, &elsewhere, (F::OtherAccountIsUsual, P::Refund, Some(103))),
            (K::WrongAccount, &both, (F::AccountPlausible, P::Look, None)),
            (K::WrongAccount, &evidence(), (F::AccountPlausible, P::Look, None)),
            (K::WrongAmount, &evidence(), (F::AmountAsBilled, P::Dismiss, None)),
            (K::WrongAmount, &over, (F::AmountDiffers, P::Refund, Some(20))),
            (K::WrongAmount, &less, (F::AmountDiffers, P::Refund, Some(13))),
            (K::WrongAmount, &more, (F::AmountDiffers, P::Look, None)),
        ] {
            assert_eq!(find(kind, e), wanted, "{kind:?} {e:?}");
        }
    }

    #[test]
    fn time_is_counted_in_workdays() {
        let due =
            |state, at: &str| due_at(state, at.parse().unwrap(), UtcOffset::CHINA).map(|t| t.to_string());
        // Monday, 2 March 2026: five workdays are over at the end of Monday, the 9th.
        assert_eq!(
            due(ComplaintState::Biller, "2026-03-02T02:00:00Z"),
            Some("2026-03-09T16:00:00Z".to_owned())
        );
        // Before Spring Festival 2026 (15 to 23 February); Saturday the 14th is worked.
        assert_eq!(
            due(ComplaintState::Supervisor, "2026-02-13T02:00:00Z"),
            Some("2026-02-24T16:00:00Z".to_owned())
        );
        assert_eq!(due(ComplaintState::Dismissed, "2026-03-02T02:00:00Z"), None);
    }

    #[test]
    fn words_people_write() {
        for (text, wanted) in [
            ("  paid on Monday ", Some("paid on Monday")),
            ("已经缴费", Some("已经缴费")),
            ("a\nb c", Some("a\nb c")),
            ("abc", None),
            ("ab\u{7}cd", None),
        ] {
            assert_eq!(words(text).as_deref(), wanted, "{text:?}");
        }
        assert_eq!(words(&"x".repeat(501)), None);
    }
}
